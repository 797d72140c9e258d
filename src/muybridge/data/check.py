"""Is this data set fit to train on? Every frame decoded, every pair compared.

Broken files, classes out of balance, and the same film on both sides of a split are what spoils a training
run without stopping it.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from muybridge.data.layouts import read_samples
from muybridge.data.samples import Sample, Samples
from muybridge.types import VideoError
from muybridge.video.reader import Video

MOMENTS = 4
"""Frames of a video that its look is taken from."""
GRID = 12
"""Rows and columns of a look."""
ALIKE = 10.0
"""Largest difference (of 255, mean of the 5 % of fields that differ most) between two looks of one film. Measured on
31 real clips: encoded anew at CRF 26 at most 9.7, at CRF 32 at half the size mostly under 10; two takes by
one fixed
camera at least 31."""
SHORT_FRAMES = 8


@dataclass(frozen=True, slots=True)
class Twins:
    """Two files that show the same.

    Attributes:
        first: One file.
        second: The other.
        splits: The splits that they lie in.
        kind: `same file` (every byte), or `looks alike` (the same film, encoded anew).
        labels: The classes that they are filed under.
    """

    first: Path
    second: Path
    splits: tuple[str, str]
    kind: str
    labels: tuple[str, str]

    @property
    def leaks(self) -> bool:
        """Whether one side of a split gives the other away."""
        return self.splits[0] != self.splits[1]


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """What `check_data` found.

    Attributes:
        videos: Files looked at.
        seconds: Length of them all, in seconds.
        broken: Files that can't be decoded to the end, with the reason.
        classes: Samples per class, for each split.
        twins: Pairs that show the same.
        short: Files of fewer than 8 frames, with their number of frames.
        sizes: Files per width and height, in pixels.
        rates: Files per frame rate, in frames per second.
        codecs: Files per codec, for each class.
    """

    videos: int
    seconds: float
    broken: dict[Path, str]
    classes: dict[str, dict[str, int]]
    twins: list[Twins]
    short: dict[Path, int]
    sizes: dict[tuple[int, int], int]
    rates: dict[str, int]
    codecs: dict[str, dict[str, int]]

    @property
    def leaks(self) -> list[Twins]:
        """Twins on two sides of a split."""
        return [twins for twins in self.twins if twins.leaks]

    @property
    def contradictions(self) -> list[Twins]:
        """Twins under two classes."""
        return [twins for twins in self.twins if twins.labels[0] != twins.labels[1]]

    @property
    def ok(self) -> bool:
        """Nothing broken, and no film on two sides of a split."""
        return not self.broken and not self.leaks

    def describe(self, most: int = 10) -> str:
        """The report as text.

        Args:
            most: Lines of a list before it is cut.
        """
        return "\n".join(_describe(self, most))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "videos": self.videos,
            "seconds": self.seconds,
            "broken": {str(path): reason for path, reason in self.broken.items()},
            "classes": self.classes,
            "twins": [
                {"first": str(t.first), "second": str(t.second), "splits": t.splits, "kind": t.kind}
                for t in self.twins
            ],
            "short": {str(path): frames for path, frames in self.short.items()},
            "sizes": {f"{width}x{height}": count for (width, height), count in self.sizes.items()},
            "rates": self.rates,
            "codecs": self.codecs,
        }


@dataclass(frozen=True, slots=True)
class _Look:
    num_frames: int
    duration_s: float
    size: tuple[int, int]
    rate: str
    codec: str
    digest: str
    fields: NDArray[np.float32]


def check_data(data: str | Path | Samples, progress: Callable[[int, int], None] | None = None) -> DataReport:
    """Decode every frame of a data set and compare every pair of videos.

    Args:
        data: A data set, or where one lies, as for `read_samples`.
        progress: Called with files done and files in all.

    Raises:
        ValueError: What `read_samples` refuses.
    """
    samples = data if isinstance(data, Samples) else read_samples(data)
    filed: dict[Path, tuple[str, Sample]] = {}
    for split, members in samples.splits.items():
        for sample in members:
            # A file cut into stretches by a list is decoded once; where its stretches lie is the list's
            # affair.
            filed.setdefault(sample.path, (split, sample))
    looks: dict[Path, _Look] = {}
    broken: dict[Path, str] = {}
    for done, path in enumerate(filed, 1):
        try:
            looks[path] = _look(path)
        except (VideoError, OSError) as error:
            broken[path] = str(error)
        if progress is not None:
            progress(done, len(filed))
    codecs: dict[str, Counter[str]] = defaultdict(Counter)
    for path, look in looks.items():
        codecs[filed[path][1].label][look.codec] += 1
    return DataReport(
        videos=len(filed),
        seconds=sum(look.duration_s for look in looks.values()),
        broken=broken,
        classes=_classes(samples),
        twins=list(_twins(looks, filed)),
        short={path: look.num_frames for path, look in looks.items() if look.num_frames < SHORT_FRAMES},
        sizes=dict(Counter(look.size for look in looks.values()).most_common()),
        rates=dict(Counter(look.rate for look in looks.values()).most_common()),
        codecs={label: dict(found.most_common()) for label, found in sorted(codecs.items())},
    )


def _classes(samples: Samples) -> dict[str, dict[str, int]]:
    counts = {
        name: Counter(label for s in members for label in s.labels)
        for name, members in samples.splits.items()
    }
    return {name: {label: count[label] for label in samples.labels} for name, count in counts.items()}


def _look(path: Path) -> _Look:
    with Video(path) as video:
        moments = {int(i) for i in np.linspace(0, len(video) - 1, MOMENTS).round()}
        small: list[Tensor] = []
        count = 0
        for number, frame in enumerate(video):
            count += 1
            if number in moments:
                small.append(F.adaptive_avg_pool2d(frame.float().mean(0)[None], GRID))
        if count < len(video):
            raise VideoError(f"{path}: damaged; {count} of {len(video)} frames can be decoded")
        fields = torch.cat(small + small[-1:] * (MOMENTS - len(small)))
        meta = video.meta
        return _Look(
            num_frames=count,
            duration_s=meta.duration_s,
            size=(meta.width, meta.height),
            rate=f"{float(meta.fps):.4g}",
            codec=meta.codec,
            digest=_digest(path),
            fields=fields.numpy().reshape(-1),
        )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _twins(looks: dict[Path, _Look], filed: dict[Path, tuple[str, Sample]]) -> Iterator[Twins]:
    def twins(first: Path, second: Path, kind: str) -> Twins:
        (one, a), (two, b) = filed[first], filed[second]
        return Twins(first, second, (one, two), kind, (a.label, b.label))

    of_digest: dict[str, list[Path]] = defaultdict(list)
    for path, look in looks.items():
        of_digest[look.digest].append(path)
    for same in of_digest.values():
        yield from (twins(first, second, "same file") for first, second in combinations(same, 2))
    # One of each set of equal files is enough to compare by looks; the same film keeps its length, but for a
    # frame lost at an end.
    paths = sorted((same[0] for same in of_digest.values()), key=lambda path: looks[path].num_frames)
    frames = np.array([looks[path].num_frames for path in paths])
    fields = np.array([looks[path].fields for path in paths])
    most = fields.size // max(len(paths), 1) // 20
    for number, path in enumerate(paths):
        past = int(np.searchsorted(frames, frames[number] + 1, side="right"))
        for other in range(number + 1, past, 256):
            apart = np.abs(fields[other : min(other + 256, past)] - fields[number])
            worst = np.partition(apart, -most, axis=1)[:, -most:].mean(axis=1)
            for found in np.flatnonzero(worst <= ALIKE):
                yield twins(path, paths[other + int(found)], "looks alike")


def _describe(report: DataReport, most: int) -> Iterator[str]:
    def cut(lines: list[str]) -> Iterator[str]:
        yield from (f"  {line}" for line in lines[:most])
        if len(lines) > most:
            yield f"  ... and {len(lines) - most} more"

    minutes, seconds = divmod(round(report.seconds), 60)
    yield f"{report.videos} videos, {minutes} min {seconds:02} s; {len(report.broken)} broken"
    yield from cut(
        [reason if str(path) in reason else f"{path}: {reason}" for path, reason in report.broken.items()]
    )
    for split, counts in report.classes.items():
        yield f"{split}: {sum(counts.values())} samples of {sum(n > 0 for n in counts.values())} classes"
        width = max(len(label) for label in counts)
        yield from cut(
            [f"{label:{width}}  {n:5}  {n / sum(counts.values()):6.1%}" for label, n in counts.items()]
        )
    sizes = [f"{width}x{height} ({count})" for (width, height), count in report.sizes.items()]
    yield f"sizes: {', '.join(sizes[:most])}" + (
        f" and {len(sizes) - most} more" if len(sizes) > most else ""
    )
    yield "rates: " + ", ".join(f"{rate} fps ({count})" for rate, count in report.rates.items())
    if len({tuple(sorted(found)) for found in report.codecs.values()}) > 1:
        yield "codecs differ between classes; a network may learn the codec rather than the action:"
        yield from cut(
            [f"{k}: {', '.join(f'{c} ({n})' for c, n in v.items())}" for k, v in report.codecs.items()]
        )
    if report.short:
        yield f"very short (under {SHORT_FRAMES} frames): {len(report.short)}"
        yield from cut([f"{path}: {frames}" for path, frames in report.short.items()])
    for title, twins in (
        ("the same film on both sides of a split", report.leaks),
        ("the same film under two classes", report.contradictions),
        ("the same film twice", [t for t in report.twins if not t.leaks and t.labels[0] == t.labels[1]]),
    ):
        if twins:
            yield f"{title}: {len(twins)}"
            yield from cut(
                [f"{t.kind}: {t.first} ({t.splits[0]}) = {t.second} ({t.splits[1]})" for t in twins]
            )
    yield "all is well" if report.ok else "mend what is listed as broken or on both sides of a split"
