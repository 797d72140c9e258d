"""Dense trajectories: points that are followed, and what is seen around them. The best of the time before networks.

    from muybridge.trajectories import find_trajectories

    for batch in find_trajectories("clip.mp4"):
        batch.points     # (n, 16, 2) x and y in pixels, over 16 frames
        batch.mbh_x      # (n, 96) and more descriptors

settings.py     the papers' numbers; what a trajectory holds
pictures.py     scales, points worth following, histograms of gradients; camera.py: the camera's motion, taken out
tracking.py     points followed from frame to frame; extract.py: a whole video in one pass; store.py: as a file
drawing.py      tracks with tails on the video
fisher.py       trajectories of a video as one vector; classify.py: a linear SVM on it

Wang et al. 2011, https://doi.org/10.1109/CVPR.2011.5995407; Wang and Schmid 2013,
https://doi.org/10.1109/ICCV.2013.441. Needs the extra `classic`. Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "FisherEncoder": "fisher",
    "Settings": "settings",
    "StoredTrajectories": "store",
    "Trajectories": "settings",
    "TrajectoryModel": "classify",
    "find_trajectories": "extract",
    "save_trajectories": "store",
}

__all__ = [
    "FisherEncoder",
    "Settings",
    "StoredTrajectories",
    "Trajectories",
    "TrajectoryModel",
    "find_trajectories",
    "save_trajectories",
]

if TYPE_CHECKING:
    from muybridge.trajectories.classify import TrajectoryModel
    from muybridge.trajectories.extract import find_trajectories
    from muybridge.trajectories.fisher import FisherEncoder
    from muybridge.trajectories.settings import Settings, Trajectories
    from muybridge.trajectories.store import StoredTrajectories, save_trajectories


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"muybridge.trajectories.{_HOME[name]}"), name)
    raise AttributeError(f"module 'muybridge.trajectories' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
