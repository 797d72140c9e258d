"""Clips of labelled videos, as a network takes them.

What a training clip looks like depends on (seed, epoch, index) alone: not on the number of loader workers,
nor on which one reads it. A file that can't be read does not end a run; another video of its class stands in,
and the item says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from muybridge.data.multigrid import Grid
from muybridge.data.samples import Sample
from muybridge.flow.clips import ClipReader
from muybridge.flow.source import FlowSource
from muybridge.recipe import AugmentRecipe
from muybridge.types import ClipSpec, VideoError
from muybridge.video.reader import Video
from muybridge.video.sampling import clip_indices
from muybridge.video.transforms import Clip, TestTransform, TrainTransform


class Item(TypedDict):
    """What a `ClipDataset` gives.

    `clip` is float `(c, t, h, w)` for training and `(v, c, t, h, w)` for testing, None if a test video is
    broken. `label` is the class's number, an int64 scalar; of a multi-label set ones and zeros, float32 `(k,)`.
    `broken` names the samples, by index, that could not be read on the way, each with the reason.
    """

    clip: Tensor | None
    label: Tensor
    index: int
    broken: tuple[tuple[int, str], ...]


class ClipDataset(Dataset[Item]):
    """Random clips to train on, or all test views of each video.

    `dataset[i]` is item `i` of the first epoch, `dataset[i + e * len(dataset)]` that of epoch `e`: a loader
    whose sampler counts on needs no message to its workers when an epoch begins.

    Args:
        samples: Labelled videos.
        labels: Class names; a label's number is its place here.
        spec: How the model wants to be fed.
        train: True for one random, augmented clip; False for the fixed test views.
        augment: Random changes of training clips.
        clips: Clips per video at test time; by default `spec.test_clips`.
        crops: Crops per clip at test time, 1 or 3; by default `spec.test_crops`.
        clips_per_video: How often each video is drawn in a training epoch.
        multi_label: Whether a video may show several classes, or none.
        grids: The shape of each training epoch's clips, where it changes; the last one stays.
        flow: Where flow comes from, for a model that sees any.
        seed: Of everything random.

    Attributes:
        targets: What each sample shows: int64 `(n,)`, or of a multi-label set ones and zeros, float32 `(n, k)`.

    Raises:
        ValueError: No samples, a label that is not among `labels`, or not one label where there must be one.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        labels: Sequence[str],
        spec: ClipSpec,
        *,
        train: bool,
        augment: AugmentRecipe | None = None,
        clips: int | None = None,
        crops: int | None = None,
        clips_per_video: int = 1,
        multi_label: bool = False,
        grids: Sequence[Grid] = (),
        flow: FlowSource | None = None,
        seed: int = 0,
    ) -> None:
        if not samples:
            raise ValueError("a data set without videos; there is nothing to read")
        if spec.modality != "rgb" and flow is None:
            raise ValueError(
                f"clips of {spec.modality} need to know where flow comes from; give flow=FlowSource(...)"
            )
        self.targets = _targets(samples, labels, multi_label=multi_label)
        self.multi_label = multi_label
        self.samples = tuple(samples)
        self.labels = tuple(labels)
        self.spec = spec
        self.flow = flow
        self.train = train
        self.seed = seed
        self.clips = spec.test_clips if clips is None else clips
        self.repeats = clips_per_video if train else 1
        augment = AugmentRecipe() if augment is None else augment
        self.augment = augment
        self.grids = tuple(grids) if train and grids else (Grid(1, spec),)
        self._changes = {grid.spec: TrainTransform(grid.spec, augment) for grid in self.grids}
        self._never_flipped = frozenset(augment.flip_never)
        self._cut = TestTransform(spec, crops)
        self._broken: dict[int, str] = {}

    @property
    def views(self) -> int:
        """Views of one video: 1 in training, clips times crops at test time."""
        return 1 if self.train else self.clips * self._cut.crops

    @property
    def crops(self) -> int:
        """Crops per clip at test time."""
        return self._cut.crops

    def grid(self, epoch: int) -> Grid:
        """The shape of the clips of an epoch, from 0."""
        return self.grids[min(epoch, len(self.grids) - 1)]

    def __len__(self) -> int:
        return len(self.samples) * self.repeats

    def __getitem__(self, index: int) -> Item:
        epoch, place = divmod(index, len(self))
        number = place % len(self.samples)
        if self.train:
            return self._train_item(epoch, place, number)
        clip, broken = self._try(number)
        failed = () if broken is None else ((number, broken),)
        return Item(clip=clip, label=self.targets[number], index=number, broken=failed)

    def _train_item(self, epoch: int, place: int, number: int) -> Item:
        failed: list[tuple[int, str]] = []
        change = self._changes[self.grid(epoch).spec]
        for candidate in self._candidates(epoch, place, number):
            clip, broken = self._try(candidate, change, np.random.default_rng((self.seed, epoch, place)))
            if broken is None:
                return Item(clip=clip, label=self.targets[candidate], index=candidate, broken=tuple(failed))
            failed.append((candidate, broken))
        of_class = "" if self.multi_label else f" of class {self.samples[number].label!r}"
        raise VideoError(
            f"none of the {len(failed)} videos{of_class} can be read; "
            f"the first one: {failed[0][1]}; try: muybridge data check"
        )

    def _candidates(self, epoch: int, place: int, number: int) -> Iterator[int]:
        yield number
        rng = np.random.default_rng((self.seed, epoch, place, 1))
        if self.multi_label:
            # Those that show most of the same come first.
            apart = (self.targets - self.targets[number]).abs().sum(dim=1).numpy()
            order = np.lexsort((rng.permutation(len(apart)), apart))
            yield from (i for i in order.tolist() if i != number)
            return
        others = torch.nonzero(self.targets == self.targets[number]).flatten().tolist()
        yield from rng.permutation([i for i in others if i != number]).astype(int).tolist()

    def _try(
        self, number: int, change: TrainTransform | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Tensor | None, str | None]:
        """A clip, or why there is none. Remembered, so that a broken file is tried once per worker."""
        if number in self._broken:
            return None, self._broken[number]
        try:
            return self._read(self.samples[number], change, rng), None
        except (VideoError, OSError) as error:
            self._broken[number] = str(error)
            return None, str(error)

    def _read(self, sample: Sample, change: TrainTransform | None, rng: np.random.Generator | None) -> Tensor:
        with Video(sample.path) as video:
            first, past = stretch(video, sample)
            rate = video.meta.fps
            if change is not None and rng is not None:
                rows = first + clip_indices(change.spec, past - first, rate, train=True, rng=rng)
                clip = self._read_one(video, rows, change)
                generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
                decisive = next((label for label in sample.labels if label in self._never_flipped), None)
                return change(clip, decisive, generator)
            rows = first + clip_indices(self.spec, past - first, rate, train=False, num_clips=self.clips)
            rows = rows[np.argsort(rows.min(axis=1), kind="stable")]
            with ClipReader(video, self.spec, rows, self.flow, short_side=self.spec.short_side) as reader:
                return torch.cat([self._cut(clip) for clip in reader])

    def _read_one(self, video: Video, rows: NDArray[np.int64], change: TrainTransform) -> Clip:
        # The transform resizes the random crop alone, from whatever it gets. Decoding large films no larger than the
        # largest jittered size spares it most of its work.
        largest = ceil(change.spec.short_side * max(1.0, change.augment.scale[1]))
        small = min(video.meta.width, video.meta.height) <= largest
        # Flow stays what the whole run sees, pixels at the model's own short side, even where clips start small.
        with ClipReader(video, self.spec, rows, self.flow, short_side=None if small else largest) as reader:
            return reader.clip(0, video.frames(reader.wanted[0], short_side=reader.short_side))


def _targets(samples: Sequence[Sample], labels: Sequence[str], *, multi_label: bool) -> Tensor:
    numbers = {label: number for number, label in enumerate(labels)}
    for sample in samples:
        if not multi_label and len(sample.labels) != 1:
            raise ValueError(
                f"{sample.path}: shows {len(sample.labels)} classes ({sample.label or 'none'}) where one is wanted; "
                "give a multi-label set (multi_label=True)"
            )
        if unknown := [label for label in sample.labels if label not in numbers]:
            known = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
            raise ValueError(f"{sample.path}: its class {unknown[0]!r} is not one of the model's: {known}")
    if not multi_label:
        return torch.tensor([numbers[sample.label] for sample in samples], dtype=torch.int64)
    targets = torch.zeros(len(samples), len(labels))
    for row, sample in enumerate(samples):
        targets[row, [numbers[label] for label in sample.labels]] = 1.0
    return targets


def stretch(video: Video, sample: Sample) -> tuple[int, int]:
    """First frame of a sample's stretch, and the one past its end: the frames that start inside it.

    Raises:
        VideoError: The stretch begins after the video's end.
    """
    start_s, end_s = sample.start_s, sample.end_s
    first = 0 if start_s is None else int(np.searchsorted(video.times_s, start_s))
    past = len(video) if end_s is None else int(np.searchsorted(video.times_s, end_s))
    if first >= len(video):
        raise VideoError(f"{video.name}: starts at {start_s} s, but lasts {video.meta.duration_s:.2f} s")
    # A stretch between two frames still shows one.
    return first, max(past, first + 1)
