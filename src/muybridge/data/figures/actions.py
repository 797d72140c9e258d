"""All actions by name."""

from __future__ import annotations

from muybridge.data.figures.action import Action
from muybridge.data.figures.alone import ALONE
from muybridge.data.figures.gaits import GAITS
from muybridge.data.figures.things import THINGS
from muybridge.data.figures.together import TOGETHER

ACTIONS: dict[str, Action] = {**GAITS, **ALONE, **THINGS, **TOGETHER}

# What the data set for recognition is made of.
RECOGNIZED = tuple(name for name in ACTIONS if name != "stand")

# The same poses in reversed time: no single frame tells one of a pair from the other.
PAIRS = (
    ("sit_down", "stand_up"),
    ("pick_up", "put_down"),
    ("open_door", "close_door"),
    ("walk_left", "walk_right"),
    ("fall", "get_up"),
)
