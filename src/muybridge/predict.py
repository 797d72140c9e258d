"""Prediction without a training framework: a path goes in, a result that can show itself comes out.

Videos are streamed: each frame is decoded once and forgotten as soon as no clip needs it, so memory doesn't grow
with their length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from muybridge.checkpoints import open_checkpoint
from muybridge.model_file import LoadedModel
from muybridge.results import Progress, Recognition
from muybridge.tasks.recognition import task_for
from muybridge.types import ClipSpec, Window, refuse_flow
from muybridge.video import Video
from muybridge.video.sampling import clip_indices, sliding_windows
from muybridge.video.transforms import TestTransform

Source = str | Path | Tensor | Video
BATCH_CLIPS = 8
"""Clips that go through the network together: enough to keep it busy, few enough to bound memory."""


class Recognizer:
    """A model that says what happens in a video.

    Args:
        loaded: The network with its labels and clip, from `muybridge.checkpoints.open_checkpoint`.
        device: Where it runs, for example `cpu` or `cuda:0`; None takes a GPU if there is one.
    """

    def __init__(self, loaded: LoadedModel, *, device: str | torch.device | None = None) -> None:
        self.device = choose_device(device)
        self.model = loaded.model.to(self.device).eval()
        self.name = loaded.name
        self.labels = loaded.labels
        self.clip: ClipSpec = loaded.clip
        self.facts = loaded.facts
        self.task = task_for(self.labels, multi_label=loaded.multi_label)

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
            VideoError: The video can't be read.
            ValueError: `every_s` without `window_s`, sizes that are not positive, or a model that reads optical flow.
        """
        refuse_flow(self.name, self.clip)
        if every_s is not None and window_s is None:
            raise ValueError("every_s needs window_s: give the length of a window too")
        if isinstance(source, Video):
            return self._recognize(source, window_s, every_s, clips, crops, progress)
        with Video(source, on_error=on_error) as video:
            return self._recognize(video, window_s, every_s, clips, crops, progress)

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
        if window_s is None:
            indices = clip_indices(self.clip, meta.num_frames, meta.fps, train=False, num_clips=clips)
        else:
            spans, indices = sliding_windows(
                self.clip,
                meta.num_frames,
                meta.fps,
                window_s=window_s,
                every_s=window_s / 2 if every_s is None else every_s,
            )
            crops = crops or 1
        transform = TestTransform(self.clip, crops)
        scores = np.stack(list(self._scores(video, indices, transform, progress)))
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
            views=len(indices) * (crops or self.clip.test_crops),
            model=self.name,
            facts={"clip": self.clip.describe()},
        )

    def _scores(
        self,
        video: Video,
        indices: np.ndarray,
        transform: Callable[[Tensor], Tensor],
        progress: Progress | None,
    ) -> Iterator[np.ndarray]:
        """Probabilities `(k,)` of one clip after the other, averaged over its crops."""
        batch: list[Tensor] = []
        clips = video.clips(list(indices), short_side=self.clip.short_side)
        for done, clip in enumerate(clips, start=1):
            batch.append(transform(clip))
            if len(batch) * len(batch[0]) >= BATCH_CLIPS or done == len(indices):
                yield from self.probabilities(torch.stack(batch)).numpy()
                batch.clear()
            if progress:
                progress(done, len(indices))

    @torch.inference_mode()
    def probabilities(self, clips: Tensor) -> Tensor:
        """Probabilities `(b, k)`, on the CPU, of views `(b, v, c, t, h, w)`."""
        return self.task.predict(self.model, clips.to(self.device)).cpu()

    def __repr__(self) -> str:
        return (
            f"<Recognizer {self.name}, {len(self.labels)} labels, {self.clip.describe()}, on {self.device}>"
        )


def choose_device(device: str | torch.device | None) -> torch.device:
    """The device of that name, or a GPU if there is one, or the CPU.

    Raises:
        ValueError: No such device on this machine.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        cause = str(error).partition("\n")[0]
        raise ValueError(f"no device {str(device)!r} on this machine ({cause}); leave --device out") from None
    return chosen


def load(
    source: str | Path,
    *,
    model: str | None = None,
    labels: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
) -> Recognizer:
    """Open a model, ready to recognize.

    Args:
        source: A `model.safetensors` of `muybridge train` or the folder that holds it; a weight file of another
            project; or the name of published weights, such as `mvit_v2_s.k400`, which are fetched once.
        model: Which model a weight file is, where it leaves that open.
        labels: One label per output, where a weight file doesn't bring its own.
        device: Where it runs; None takes a GPU if there is one.
        progress: Called with (done, total) bytes while weights are fetched.

    Raises:
        WeightsError: No such file, or not a model.
        ValueError: No published weights of that name, or labels that don't fit.
    """
    loaded = open_checkpoint(source, model=model, labels=labels, progress=progress)
    return Recognizer(loaded, device=device)
