"""Prediction without a training framework: a path goes in, a result that can show itself comes out.

Videos are streamed: each frame is decoded once and forgotten as soon as no clip needs it, so memory doesn't grow
with their length. Two streams, one that sees RGB and one that sees flow, watch a video together and answer together.
"""

from muybridge.predict.recognizer import Recognizer, load
from muybridge.predict.two_streams import TwoStreams
from muybridge.predict.watching import BATCH_CLIPS, Source

__all__ = ["BATCH_CLIPS", "Recognizer", "Source", "TwoStreams", "load"]
