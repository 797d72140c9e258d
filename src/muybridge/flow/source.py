"""Where a model's flow comes from: a folder in which it was stored, or a method that makes it on the way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from muybridge.devices import choose_device
from muybridge.flow.methods import METHODS, check_method, open_method
from muybridge.types import ClipSpec, VideoError
from muybridge.video.reader import Video

if TYPE_CHECKING:
    from muybridge.flow.methods import FlowMaker
    from muybridge.flow.store import StoredFlow

DEFAULT_METHOD = "tvl1"
"""What the published two-stream networks were trained on."""


class FlowSource:
    """Where flow comes from. It can be sent to another process, which opens it again.

    Args:
        where: A method of `muybridge.flow.METHODS`, or a folder of stored flow (`muybridge flow VIDEOS --store`).
        device: Where a method computes, such as `cuda`.

    Attributes:
        method: The method; of a folder None.
        folder: The folder; of a method None.

    Raises:
        ValueError: Neither, a method whose package is missing, or no such device.
    """

    def __init__(self, where: str | Path = DEFAULT_METHOD, *, device: str | torch.device = "cpu") -> None:
        self.device = choose_device(device)
        self.method: str | None = None
        self.folder: Path | None = None
        name = str(where)
        if name not in METHODS and Path(where).is_dir():
            self.folder = Path(where)
        elif name not in METHODS and (os.sep in name or isinstance(where, Path)):
            raise ValueError(
                f"{name}: no such folder of stored flow; store it (muybridge flow VIDEOS --store {name}), or name a "
                f"method: {', '.join(METHODS)}"
            )
        else:
            self.method = check_method(name)
        self._maker: FlowMaker | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maker": None}

    def __str__(self) -> str:
        return str(self.folder or self.method)

    def __repr__(self) -> str:
        return f"FlowSource({str(self)!r})"

    @property
    def maker(self) -> FlowMaker:
        """The method, open."""
        if self._maker is None:
            self._maker = open_method(self.method or DEFAULT_METHOD, device=self.device)
        return self._maker

    def stored(self, video: Video) -> StoredFlow:
        """What was stored of a video.

        Raises:
            VideoError: Nothing was, or it is another video's.
        """
        from muybridge.flow.store import find_flow

        found = None if video.source is None else find_flow(video.source, self.folder or Path())
        if found is None:
            raise VideoError(
                f"{video.name}: has no flow in {self.folder}; store it: muybridge flow "
                f"{video.source or 'VIDEO'} --store {self.folder}"
            )
        found.check_frames(len(video))
        return found

    def method_of(self, path: Path) -> str | None:
        """How the flow of a video is made, or was before it was stored; None if that is not known."""
        from muybridge.flow.store import find_flow

        if self.folder is None:
            return self.method
        try:
            found = find_flow(path, self.folder)
        except VideoError:
            return None
        if found is None:
            return None
        with found:
            return found.method


def flow_of(
    spec: ClipSpec,
    facts: Mapping[str, Any],
    *,
    where: str | Path | None,
    device: str | torch.device = "cpu",
) -> FlowSource | None:
    """Where flow comes from for a trained model: what was asked for, or what it was trained on, or TV-L1.

    Args:
        spec: How the model is fed.
        facts: How it was trained; `flow` names the method, as `muybridge train` notes it.
        where: As for `FlowSource`, or None.
        device: Where a method computes.

    Returns:
        None if the model sees none.

    Raises:
        ValueError: No such method or folder, or the package that the method needs is missing.
    """
    if spec.modality == "rgb":
        return None
    known = facts.get("flow") or {}
    return FlowSource(where or known.get("method") or DEFAULT_METHOD, device=device)


def stored_for(facts: Mapping[str, Any], data: Path | None) -> Path | None:
    """The folder of stored flow that a model was trained on, if that was on these data and is still there."""
    folder = (facts.get("flow") or {}).get("folder")
    known = data is not None and facts.get("data") == str(data.resolve())
    return Path(folder) if known and folder and Path(folder).is_dir() else None
