"""Two models, one of RGB and one of flow, that say together what happens in a video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.data.clips import ClipDataset
from muybridge.data.samples import Sample
from muybridge.metrics.multi_label import MultiLabelEvaluation
from muybridge.metrics.recognition import Evaluation
from muybridge.predict.recognizer import Recognizer
from muybridge.predict.watching import Watcher
from muybridge.results import Progress
from muybridge.types import VideoError

Measured = Evaluation | MultiLabelEvaluation
Average = Literal["probabilities", "logits"]


class TwoStreams(Watcher):
    """Two models that watch a video together and answer together: what is there, and how it moves.

    Simonyan and Zisserman 2014, https://arxiv.org/abs/1406.2199. Each may have learnt alone and see clips of its own
    length; every frame is decoded once for both.

    Args:
        rgb: Usually sees RGB; any model will do.
        flow: Usually sees flow; it knows the same labels, in any order.
        weights: Of both in their vote.
        average: `probabilities`: the weighted mean of the probabilities that each gives to the video, so that each has
            its vote however sure it is. `logits`: the weighted sum of their mean logits before softmax or sigmoid, so
            that the surer outvotes the other; I3D's joint answer (Carreira and Zisserman 2017) at 1:1.

    Raises:
        ValueError: The labels differ, or weights that can't be.
    """

    def __init__(
        self,
        rgb: Recognizer,
        flow: Recognizer,
        *,
        weights: tuple[float, float] = (1.0, 1.0),
        average: Average = "probabilities",
    ) -> None:
        if average not in ("probabilities", "logits"):
            raise ValueError(f"average is {average!r}; it must be 'probabilities' or 'logits'")
        if min(weights) < 0 or not 0 < sum(weights) < float("inf"):
            raise ValueError(
                f"weights are {weights[0]:g}:{weights[1]:g}; they must be positive numbers, such as 1:1.5"
            )
        if set(rgb.labels) != set(flow.labels) or type(rgb.task) is not type(flow.task):
            odd = sorted(set(rgb.labels) ^ set(flow.labels))
            alone = f"{odd[0]!r} is known to one alone" if odd else "of one they exclude each other"
            raise ValueError(
                f"{rgb.name} has {len(rgb.labels)} labels and {flow.name} {len(flow.labels)}, and {alone}; two streams "
                "vote on the same labels"
            )
        self.rgb = rgb
        self.flow = flow
        self.weights = weights
        self.average = average
        self.labels = rgb.labels
        self.name = f"{rgb.name} + {flow.name}"
        self._order = [flow.labels.index(label) for label in rgb.labels]

    def __repr__(self) -> str:
        return f"<TwoStreams {self.rgb!r} and {self.flow!r}, {self._facts['average']}>"

    def measure(
        self,
        samples: Sequence[Sample],
        *,
        multi_label: bool = False,
        clips: int | None = None,
        crops: int | None = None,
        progress: Progress | None = None,
    ) -> tuple[Measured, Measured, Measured]:
        """How good each stream is on a data set, and how good both are together.

        Args:
            samples: Labelled videos.
            multi_label: Whether a video may show several classes.
            clips: Clips per video; default each model's.
            crops: Crops of each clip, 1 or 3; default each model's.
            progress: Called with (done, total) videos.

        Returns:
            The stream of RGB, the stream of flow, both. A video that one of them can't read is in none of the figures.

        Raises:
            VideoError: Not one video could be read.
            ValueError: Labels that the models don't know.
        """
        sets = [
            ClipDataset(
                samples,
                stream.labels,
                stream.clip,
                train=False,
                clips=clips,
                crops=crops,
                multi_label=multi_label,
                flow=stream.flow,
            )
            for stream in self._streams
        ]
        said: list[tuple[Tensor, ...]] = []
        read: list[int] = []
        broken: dict[str, str] = {}
        for number, sample in enumerate(samples):
            items = [dataset[number] for dataset in sets]
            views = [item["clip"] for item in items]
            if any(view is None for view in views):
                broken[str(sample.path)] = next(item["broken"][0][1] for item in items if item["broken"])
            else:
                read.append(number)
                said.append(self._said([view[None] for view in views if view is not None]))
            if progress:
                progress(number + 1, len(samples))
        if not said:
            raise VideoError(
                f"none of {len(samples)} videos can be read; the first one: {next(iter(broken.values()))}"
            )
        kind = MultiLabelEvaluation if multi_label else Evaluation
        counts = [dataset.views for dataset in sets]
        rgb, flow, both = (
            kind(
                labels=dataset.labels,
                probabilities=torch.cat(rows),
                targets=dataset.targets[read],
                views=views,
                names=tuple(str(samples[number].path) for number in read),
                broken=broken,
            )
            for dataset, rows, views in zip(
                [*sets, sets[0]], zip(*said, strict=True), [*counts, sum(counts)], strict=True
            )
        )
        return rgb, flow, both

    def _said(self, views: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Probabilities `(1, k)` of each stream, in its own order of labels, and of both."""
        alone = [stream.probabilities(clips) for stream, clips in zip(self._streams, views, strict=True)]
        scores = alone
        if self.average == "logits":
            scores = [stream.logits(clips) for stream, clips in zip(self._streams, views, strict=True)]
        return *alone, torch.from_numpy(self._joined([part.numpy() for part in scores]))

    @property
    def _streams(self) -> tuple[Recognizer, ...]:
        return self.rgb, self.flow

    @property
    def _facts(self) -> dict[str, str]:
        how = f"{self.average}, {self.weights[0]:g}:{self.weights[1]:g}"
        clips = " and ".join(stream.clip.describe() for stream in self._streams)
        source = self.flow.flow or self.rgb.flow
        return {"clip": clips, "average": how} | ({"flow": str(source)} if source else {})

    def _scores(self, stream: Recognizer, clips: Tensor) -> Tensor:
        return stream.logits(clips) if self.average == "logits" else stream.probabilities(clips)

    def _joined(self, scores: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        rgb, flow = scores[0], scores[1][:, self._order]
        total = torch.from_numpy(self.weights[0] * rgb + self.weights[1] * flow)
        joint = self.rgb.task.probabilities(total) if self.average == "logits" else total / sum(self.weights)
        return np.asarray(joint.numpy())
