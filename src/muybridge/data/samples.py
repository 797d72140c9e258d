"""What a data set is made of: labelled videos, with a name for what each was cut from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled video, or one stretch of it.

    Attributes:
        path: A video file, or a folder of numbered frames.
        labels: Names of its classes: one, or in a multi-label data set any number.
        group: What it was cut from (a source video, a person, a place); a split never parts a group.
        start_s: Start of the stretch, in seconds from the first frame; None: the start of the video.
        end_s: End of the stretch, in seconds; None: the end of the video.
    """

    path: Path
    labels: tuple[str, ...]
    group: str
    start_s: float | None = None
    end_s: float | None = None

    @property
    def label(self) -> str:
        """Its class, or all of them in words."""
        return " + ".join(self.labels)


@dataclass(frozen=True, slots=True)
class Samples:
    """A data set as it lies on the disk.

    Attributes:
        train: Samples to learn from; all of them where the data set brings no split.
        val: Samples to choose the best epoch by; may be empty.
        test: Samples to report on; may be empty.
        labels: Class names, a class's number being its place. Given by the data set's own list of classes;
            else those of all three in natural order (`class2` before `class10`).
        multi_label: Whether a video may show several classes at once, or none.
        layout: What was recognized, in words (`UCF101 split 1`).
        notes: Lines that a person should read, such as classes that could not be held out.
    """

    train: tuple[Sample, ...]
    val: tuple[Sample, ...] = ()
    test: tuple[Sample, ...] = ()
    labels: tuple[str, ...] = ()
    multi_label: bool = False
    layout: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.labels:
            labels = {label for s in (*self.train, *self.val, *self.test) for label in s.labels}
            object.__setattr__(self, "labels", tuple(sorted(labels, key=natural)))

    @property
    def splits(self) -> dict[str, tuple[Sample, ...]]:
        """Those of train, val and test that hold something."""
        named = {"train": self.train, "val": self.val, "test": self.test}
        return {name: samples for name, samples in named.items() if samples}

    def held_out(self) -> tuple[str, tuple[Sample, ...]]:
        """What to test on, with its name: `test`, else `val`, else `all`."""
        for name in ("test", "val"):
            if samples := self.splits.get(name):
                return name, samples
        return "all", self.train


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that counts: `class2` comes before `class10`."""
    parts = re.split(r"(\d+)", text.casefold())
    return (*((0, int(p), p) if p.isdecimal() else (1, 0, p) for p in parts if p), (2, 0, text))


def select(samples: Samples, split: str | None, groups: Iterable[str] = ()) -> tuple[str, tuple[Sample, ...]]:
    """What to measure on, with its name.

    Args:
        samples: From `read_samples`.
        split: `train`, `val`, `test` or `all`; None: what is held out, see `Samples.held_out`.
        groups: Only these groups; none given: every one.

    Raises:
        ValueError: A split or a group that isn't there.
    """
    groups = set(groups)
    everything = tuple(sample for part in samples.splits.values() for sample in part)
    if split is None:
        # Whoever names groups has held them out: the list's own split says nothing about them.
        name, chosen = ("all", everything) if groups else samples.held_out()
    elif split == "all":
        name, chosen = split, everything
    elif split in samples.splits:
        name, chosen = split, samples.splits[split]
    else:
        raise ValueError(f"no split {split!r}; there are {', '.join([*samples.splits, 'all'])}")
    refuse_unknown(groups, chosen)
    if groups:
        return f"{name} of {', '.join(sorted(groups, key=natural))}", tuple(
            s for s in chosen if s.group in groups
        )
    return name, chosen


def refuse_unknown(groups: set[str], samples: Sequence[Sample], where: str = "") -> None:
    """Refuse names of groups that aren't there."""
    there = sorted({sample.group for sample in samples}, key=natural)
    if unknown := sorted(groups - set(there), key=natural):
        shown = ", ".join(there[:8]) + (", ..." if len(there) > 8 else "")
        raise ValueError(f"{where}no group {unknown[0]!r}; there are {shown}")
