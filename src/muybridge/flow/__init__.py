"""Optical flow: how far every pixel moves from one frame to the next.

    from muybridge.flow import flow

    fields = flow(frames)                       # (t, c, h, w) -> (t - 1, 2, h, w), in pixels, by TV-L1
    fields = flow(frames, method="raft_small", device="cuda")

A point at (x, y) in frame i is at (x + fields[i, 0, y, x], y + fields[i, 1, y, x]) in frame i + 1: x grows to the
right, y downwards.

Names are imported when they are first used, so `import muybridge.flow` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "METHODS": "methods",
    "FlowMaker": "methods",
    "check_method": "methods",
    "flow": "methods",
    "flow_between": "methods",
    "open_method": "methods",
    "stream_flow": "methods",
    "track_points": "classical",
    "colour_flow": "colour",
    "angular_error": "errors",
    "end_point_error": "errors",
    "photometric_error": "errors",
    "warp": "errors",
    "film_flow": "film",
    "StoredFlow": "store",
    "find_flow": "store",
    "open_flow": "store",
    "read_flow": "store",
}

__all__ = [
    "METHODS",
    "FlowMaker",
    "StoredFlow",
    "angular_error",
    "check_method",
    "colour_flow",
    "end_point_error",
    "film_flow",
    "find_flow",
    "flow",
    "flow_between",
    "open_flow",
    "open_method",
    "photometric_error",
    "read_flow",
    "stream_flow",
    "track_points",
    "warp",
]

if TYPE_CHECKING:
    from muybridge.flow.classical import track_points
    from muybridge.flow.colour import colour_flow
    from muybridge.flow.errors import angular_error, end_point_error, photometric_error, warp
    from muybridge.flow.film import film_flow
    from muybridge.flow.methods import (
        METHODS,
        FlowMaker,
        check_method,
        flow,
        flow_between,
        open_method,
        stream_flow,
    )
    from muybridge.flow.store import StoredFlow, find_flow, open_flow, read_flow


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"muybridge.flow.{_HOME[name]}"), name)
    raise AttributeError(f"module 'muybridge.flow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
