"""Films of procedural people, so that no test, demo or table needs a download or a licence.

body.py        limbs, and a pose turned into joints in space; flesh.py: what is drawn round them
action.py      what an action is: a pose as a function of a phase, a way, how it is seen
gaits.py, alone.py, things.py, together.py     the actions; actions.py: all of them
acting.py      who does what when: a person's beats in time
furniture.py, props.py, bystanders.py          what stands about, what is used, who comes by
brush.py       a rounded, shaded shape drawn on an image without jagged edges
backdrop.py    walls, floors and what hangs there, seen by a camera that pans
stage.py       people, things, a light and a camera put together: a frame and the truth about it
script.py      one person's beats as they are written, and what they are called
scenes.py, untrimmed.py, crowd.py              what a clip, a long video, a film of several people shows
film.py        a scene shot; foley.py: what it sounds like
sets.py        whole data sets; filming.py: by many processes, as far as they are not there; formats.py: their truth
"""

from muybridge.data.figures.actions import ACTIONS, PAIRS, RECOGNIZED
from muybridge.data.figures.film import film_story
from muybridge.data.figures.sets import film_dataset

__all__ = ["ACTIONS", "PAIRS", "RECOGNIZED", "film_dataset", "film_story"]
