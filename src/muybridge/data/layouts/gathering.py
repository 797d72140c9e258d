"""What all lists have in common: their rows are matched with the files that are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from muybridge.data.footage import Footage
from muybridge.data.groups import source_of
from muybridge.data.samples import Sample, Samples


class Row(NamedTuple):
    """A line of a list that has been understood.

    Attributes:
        where: File and line.
        name: The video's path, file name or id.
        labels: Its classes.
        hints: What else tells it from a namesake: the split.
        group: What it was cut from; "": what its name tells.
        start_s: Start of its stretch in seconds.
        end_s: End of its stretch.
    """

    where: str
    name: str
    labels: tuple[str, ...]
    hints: tuple[str, ...] = ()
    group: str = ""
    start_s: float | None = None
    end_s: float | None = None


class Gathered:
    """Rows becoming samples.

    Args:
        source: The list, for messages.
        footage: Where the videos are looked for.
        may_miss: Whether some videos may be missing: sets whose films vanish from the net are never complete.
    """

    def __init__(self, source: Path, footage: Footage, *, may_miss: bool = False) -> None:
        self.source = source
        self.footage = footage
        self.may_miss = may_miss
        self._found: dict[str, list[Sample]] = {"train": [], "val": [], "test": []}
        self._missing: list[Row] = []

    def add(self, split: str, rows: Iterable[Row]) -> None:
        """Look up the videos of a split."""
        for row in rows:
            path = self.footage.find(row.name, *row.labels, *row.hints)
            if path is None:
                self._missing.append(row)
                continue
            group = row.group or source_of(path, row.labels[0] if row.labels else "")
            self._found[split].append(Sample(path, row.labels, group, row.start_s, row.end_s))

    def samples(
        self, labels: Sequence[str], layout: str, *, multi_label: bool = False, notes: Sequence[str] = ()
    ) -> Samples:
        """All of them.

        Raises:
            ValueError: Videos are missing, and may not be; or all of them are.
        """
        train, val, test = (tuple(samples) for samples in self._found.values())
        missing, total = len(self._missing), len(self._missing) + len(train) + len(val) + len(test)
        if not total:
            raise ValueError(f"{self.source}: no labelled video in it")
        if missing == total or (missing and not self.may_miss):
            first = self._missing[0]
            raise ValueError(
                f"{first.where}: no video {first.name!r} below {self.footage}; {missing} of {total} files are missing; "
                "say where they lie: --videos FOLDER"
            )
        if missing:
            notes = [f"{missing} of {total} videos are not there; left out", *notes]
        return Samples(
            train, val, test, labels=tuple(labels), multi_label=multi_label, layout=layout, notes=tuple(notes)
        )
