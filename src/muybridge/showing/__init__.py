"""A data set as pictures: a contact sheet of its classes, and its annotations played onto a sample."""

from muybridge.showing.playing import play
from muybridge.showing.reading import Example, Shown, Track, look_at
from muybridge.showing.sheet import MOST_CLASSES, contact_sheet

__all__ = ["MOST_CLASSES", "Example", "Shown", "Track", "contact_sheet", "look_at", "play"]
