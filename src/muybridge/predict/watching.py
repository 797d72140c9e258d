"""How models watch a video: their clips are cut from one decoding of it, batched, and scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.flow.clips import ClipReader, read_together
from muybridge.results import Progress, Recognition
from muybridge.types import Window
from muybridge.video import Video
from muybridge.video.sampling import clip_indices, sliding_windows
from muybridge.video.transforms import Clip, TestTransform

if TYPE_CHECKING:
    from muybridge.predict.recognizer import Recognizer

Source = str | Path | Tensor | Video
BATCH_CLIPS = 8
"""Clips that go through the network together: enough to keep it busy, few enough to bound memory."""


class Watcher:
    """Whoever says what happens in a video: one model, or several that watch it together."""

    name: str
    labels: tuple[str, ...]

    def recognize(
        self,
        source: Source,
        *,
        window_s: float | None = None,
        every_s: float | None = None,
        clips: int | None = None,
        crops: Literal[1, 3] | None = None,
        on_error: Literal["raise", "partial"] = "raise",
        progress: Progress | None = None,
    ) -> Recognition:
        """Say what happens in one video.

        Args:
            source: A file, a folder of numbered frames, a uint8 tensor `(t, c, h, w)`, or an open `Video`.
            window_s: Length of a window in seconds: the answer then has a timeline, and its scores for the whole
                video are the mean over the windows.
            every_s: Distance between the starts of neighbouring windows, in seconds; default half a window.
            clips: Clips taken of the whole video (without a window); default the model's.
            crops: Crops of each clip, 1 or 3; default the model's, and 1 with a window.
            on_error: `partial` answers from the frames that a damaged file still gives.
            progress: Called with (done, total) clips.

        Raises:
            VideoError: The video can't be read, or its flow can't be had.
            ValueError: `every_s` without `window_s`, or sizes that are not positive.
        """
        if every_s is not None and window_s is None:
            raise ValueError("every_s needs window_s: give the length of a window too")
        if isinstance(source, Video):
            return self._recognize(source, window_s, every_s, clips, crops, progress)
        with Video(source, on_error=on_error) as video:
            return self._recognize(video, window_s, every_s, clips, crops, progress)

    @property
    def _streams(self) -> tuple[Recognizer, ...]:
        """The models."""
        raise NotImplementedError

    @property
    def _facts(self) -> dict[str, str]:
        """What to tell beside an answer."""
        raise NotImplementedError

    def _scores(self, stream: Recognizer, clips: Tensor) -> Tensor:
        """What one stream says of views `(b, v, c, t, h, w)`, `(b, k)`."""
        raise NotImplementedError

    def _joined(self, scores: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Probabilities `(n, k)` of what each stream said."""
        raise NotImplementedError

    def _recognize(
        self,
        video: Video,
        window_s: float | None,
        every_s: float | None,
        clips: int | None,
        crops: Literal[1, 3] | None,
        progress: Progress | None,
    ) -> Recognition:
        meta = video.meta
        spans: list[tuple[float, float]] = []
        turns: list[Turn] = []
        for stream in self._streams:
            if window_s is None:
                rows = clip_indices(stream.clip, meta.num_frames, meta.fps, train=False, num_clips=clips)
            else:
                every = window_s / 2 if every_s is None else every_s
                spans, rows = sliding_windows(
                    stream.clip, meta.num_frames, meta.fps, window_s=window_s, every_s=every
                )
            one_crop = 1 if window_s is not None else None
            reader = ClipReader(video, stream.clip, rows, stream.flow, short_side=stream.clip.short_side)
            turns.append(Turn(self._scores, stream, reader, TestTransform(stream.clip, crops or one_crop)))
        _watch(video, turns, progress)
        # Of a whole video each stream makes up its mind before they vote; with windows they vote on each.
        said = [turn.scores if spans else turn.scores.mean(axis=0, keepdims=True) for turn in turns]
        scores = self._joined(said)
        windows = tuple(
            Window(start_s=start_s, end_s=end_s, scores=tuple(row))
            for (start_s, end_s), row in zip(spans, scores.tolist(), strict=False)
        )
        return Recognition(
            name=video.source.name if video.source else video.name,
            source=video.source,
            labels=self.labels,
            scores=tuple(scores.mean(axis=0).tolist()),
            windows=windows,
            duration_s=meta.duration_s,
            views=sum(len(turn.scores) * turn.transform.crops for turn in turns),
            model=self.name,
            facts=self._facts,
        )


class Turn:
    """One model's clips of one video, on their way through the network in batches.

    Attributes:
        scores: `(n, k)`, a row for each clip, averaged over its crops.
    """

    def __init__(
        self,
        score: Callable[[Recognizer, Tensor], Tensor],
        stream: Recognizer,
        reader: ClipReader,
        transform: TestTransform,
    ) -> None:
        self.reader = reader
        self.transform = transform
        self.scores: NDArray[np.float32] = np.zeros((len(reader.rows), len(stream.labels)), np.float32)
        self._score = score
        self._stream = stream
        self._waiting: dict[int, Tensor] = {}

    def take(self, number: int, clip: Clip) -> None:
        """Look at a clip, or keep it until there are enough of them."""
        self._waiting[number] = self.transform(clip)
        if len(self._waiting) * self.transform.crops >= BATCH_CLIPS:
            self.finish()

    def finish(self) -> None:
        """Look at what is left."""
        if self._waiting:
            views = torch.stack(list(self._waiting.values()))
            self.scores[list(self._waiting)] = self._score(self._stream, views).numpy()
            self._waiting.clear()


def _watch(video: Video, turns: Sequence[Turn], progress: Progress | None) -> None:
    total = sum(len(turn.reader.rows) for turn in turns)
    try:
        for done, (which, number, clip) in enumerate(
            read_together(video, [turn.reader for turn in turns]), 1
        ):
            turns[which].take(number, clip)
            if progress:
                progress(done, total)
        for turn in turns:
            turn.finish()
    finally:
        for turn in turns:
            turn.reader.close()
