"""Films of procedural people, so that no test, demo or table needs a download or a licence.

body.py     limbs, and a pose turned into joints in space
actions.py  what a body does over time: joint angles as functions of a phase
brush.py    a rounded, shaded shape drawn on an image without jagged edges
backdrop.py walls, floors and what hangs there, seen by a camera that pans
stage.py    people, a chair, a light and a camera put together: a frame and the truth about it
film.py     whole data sets and stories, written as MP4 files
"""

from muybridge.data.figures.actions import ACTIONS
from muybridge.data.figures.film import FILMED, film_dataset, film_story

__all__ = ["ACTIONS", "FILMED", "film_dataset", "film_story"]
