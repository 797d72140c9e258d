"""What a model sees of a video, frame by frame or field by field: clips of RGB, of optical flow, or of both.

Flow of a frame goes from it to the next frame of the film, whatever the stride of the clip is: that is what is stored,
what the field trains on, and small enough to be estimated. The last frame has the flow of the one before. It is told
in pixels at the model's short side; where the model counts in time (`ClipSpec.fps`), in pixels per tick of its clock:
a walk then has the same flow on a phone of 60 frames per second and in a film of 24 (I3D, Carreira and Zisserman 2017,
https://arxiv.org/abs/1705.07750, computes flow at 25 frames per second).

Flow comes from a folder in which it was stored (no frame is decoded then), or is made of the frames as they are
decoded. Either way it is computed once per pair of frames, and forgotten after the last clip that needs it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.types import ClipSpec, VideoError
from muybridge.video.reader import Video
from muybridge.video.transforms import Clip, to_short_side

if TYPE_CHECKING:
    from muybridge.flow.source import FlowSource
    from muybridge.flow.store import StoredFlow

Ints = NDArray[np.int64]


class ClipReader:
    """The clips that one model sees of one open video. Each is asked for once.

    Args:
        video: Stays the caller's.
        spec: How the model is fed.
        rows: Frame numbers of each clip, `(n, t)`, within the video.
        source: Where flow comes from; needed if the model sees any.
        short_side: Of RGB frames, in pixels; None leaves them as they are. Flow always has the model's.

    Attributes:
        wanted: For each clip the frames that must be decoded: none if all of it is stored.
        short_side: The size to decode them at.

    Raises:
        VideoError: Flow is wanted, and the video has one frame only, or none was stored of it, or at a smaller size.
        ValueError: Flow is wanted, and no source was given.
    """

    def __init__(
        self,
        video: Video,
        spec: ClipSpec,
        rows: Sequence[Ints] | Ints,
        source: FlowSource | None = None,
        *,
        short_side: int | None,
    ) -> None:
        self.video = video
        self.spec = spec
        self.rows = [np.asarray(row, dtype=np.int64) for row in rows]
        # Flow is measured at one size, so it is computed there; frames may be wanted larger beside it.
        self.short_side = spec.short_side if spec.modality == "flow" else short_side
        self.wanted = self.rows
        if spec.modality == "rgb":
            return
        if source is None:
            raise ValueError(
                f"clips of {spec.modality} need to know where flow comes from; give a FlowSource"
            )
        if len(video) < 2:
            raise VideoError(
                f"{video.name}: has one frame, and flow goes from one to the next; give a longer video"
            )
        self._source = source
        self._stored = None if source.folder is None else _checked(source.stored(video), video, spec)
        self._fields = [_field_numbers(row, len(video) - 1, self._depth) for row in self.rows]
        self._uses = Counter(number for fields in self._fields for number in np.unique(fields).tolist())
        self._held: dict[int, Tensor] = {}
        self._factor = float(video.fps / spec.fps) if spec.fps and spec.sampling == "dense" else 1.0
        self.wanted = [
            self._decoded(row, fields) for row, fields in zip(self.rows, self._fields, strict=True)
        ]

    @property
    def _depth(self) -> int:
        """Fields per frame of the clip."""
        return (self.spec.channels - 3 * (self.spec.modality == "rgb+flow")) // 2

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Clip]:
        frames = self.video.clips(self.wanted, short_side=self.short_side)
        for number, decoded in enumerate(frames):
            yield self.clip(number, decoded)

    def clip(self, number: int, frames: Tensor) -> Clip:
        """One clip.

        Args:
            number: Which.
            frames: uint8 `(n, 3, h, w)`, those of `wanted`.

        Returns:
            RGB, flow in pixels, or both: see `muybridge.video.transforms.Clip`.
        """
        if self.spec.modality == "rgb":
            return frames
        flow = self._flow(number, frames)
        if self.spec.modality == "flow":
            return flow
        return frames[torch.from_numpy(np.searchsorted(self.wanted[number], self.rows[number]))], flow

    def close(self) -> None:
        """Close the stored flow."""
        if self.spec.modality != "rgb" and self._stored is not None:
            self._stored.close()

    def _decoded(self, row: Ints, fields: Ints) -> Ints:
        parts = [row] if self.spec.modality == "rgb+flow" else []
        if self._stored is None:
            parts += [fields.ravel(), fields.ravel() + 1]
        return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)

    def _flow(self, number: int, frames: Tensor) -> Tensor:
        """Float32 `(t, 2n, h, w)`: n fields of each step, as pairs of channels x, y."""
        fields = self._fields[number]
        needed = np.unique(fields)
        missing = np.array([i for i in needed.tolist() if i not in self._held], dtype=np.int64)
        if len(missing):
            self._held.update(zip(missing.tolist(), self._read(missing, number, frames), strict=True))
        stacks = torch.stack([self._held[i] for i in fields.ravel().tolist()])
        for i in needed.tolist():
            self._uses[i] -= 1
            if not self._uses[i]:
                del self._held[i]
        t, depth = fields.shape
        return stacks.mul_(self._factor).view(t, 2 * depth, *stacks.shape[2:])

    def _read(self, fields: Ints, number: int, frames: Tensor) -> Tensor:
        if self._stored is not None:
            return self._stored.fields(fields, short_side=self.spec.short_side)
        frames = to_short_side(frames, self.spec.short_side)
        places = torch.from_numpy(np.searchsorted(self.wanted[number], fields))
        following = torch.from_numpy(np.searchsorted(self.wanted[number], fields + 1))
        return self._source.maker(frames[places], frames[following])


def read_together(video: Video, readers: Sequence[ClipReader]) -> Iterator[tuple[int, int, Clip]]:
    """All clips of several models, in order of time, with each frame decoded once.

    Args:
        video: The video of all readers.
        readers: One for each model. Where they differ in size, frames are decoded at the largest and then shrunk.

    Yields:
        The number of the reader, the number of its clip, the clip.
    """
    sizes = {reader.short_side for reader in readers}
    size = None if None in sizes else max(side for side in sizes if side is not None)
    order = sorted(
        (int(row.min()), which, number)
        for which, reader in enumerate(readers)
        for number, row in enumerate(reader.rows)
    )
    wanted = [readers[which].wanted[number] for _, which, number in order]
    decoded = video.clips(wanted, short_side=size)
    for (_, which, number), frames in zip(order, decoded, strict=True):
        side = readers[which].short_side
        if side not in (None, size) and len(frames):
            frames = to_short_side(frames, side)
        yield which, number, readers[which].clip(number, frames)


def _field_numbers(row: Ints, num_fields: int, depth: int) -> Ints:
    """The fields of each frame of a clip, `(t, depth)`: whole stacks as far as the video goes, then its last field."""
    first = np.minimum(row, max(num_fields - depth, 0))
    return np.asarray(np.minimum(first[:, None] + np.arange(depth), num_fields - 1), dtype=np.int64)


def _checked(stored: StoredFlow, video: Video, spec: ClipSpec) -> StoredFlow:
    # Flow of a video smaller than the model's size can't be stored any larger.
    if stored.short_side < spec.short_side and stored.short_side < min(video.meta.height, video.meta.width):
        stored.close()
        raise VideoError(
            f"{video.name}: its flow in {stored.path} was stored at a short side of {stored.short_side}, and the model "
            f"sees {spec.short_side}; store it larger: muybridge flow VIDEOS --short-side {spec.short_side} --store "
            "FOLDER"
        )
    return stored
