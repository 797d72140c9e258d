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
    "angular_error": "errors",
    "end_point_error": "errors",
    "photometric_error": "errors",
    "warp": "errors",
}

__all__ = [
    "METHODS",
    "FlowMaker",
    "angular_error",
    "check_method",
    "end_point_error",
    "flow",
    "flow_between",
    "open_method",
    "photometric_error",
    "stream_flow",
    "track_points",
    "warp",
]

if TYPE_CHECKING:
    from muybridge.flow.classical import track_points
    from muybridge.flow.errors import angular_error, end_point_error, photometric_error, warp
    from muybridge.flow.methods import (
        METHODS,
        FlowMaker,
        check_method,
        flow,
        flow_between,
        open_method,
        stream_flow,
    )


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"muybridge.flow.{_HOME[name]}"), name)
    raise AttributeError(f"module 'muybridge.flow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
