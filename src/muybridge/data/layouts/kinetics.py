"""Kinetics-400, -600 and -700 (Kay et al. 2017, https://arxiv.org/abs/1705.06950): CSV files of YouTube clips.

`label,youtube_id,time_start,time_end,split`, perhaps with `is_cc` behind. The usual downloaders cut the clips and call
them `<id>_000010_000020.mp4`, others `<id>.mp4`; in folders by class, by split, by both, or in one. Videos vanish from
YouTube, so a part is always missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from muybridge.data.annotations import SPLITS, read_records, real, refuse_times
from muybridge.data.footage import Footage
from muybridge.data.layouts.gathering import Gathered, Row
from muybridge.data.samples import Samples


def read_kinetics(files: Mapping[str, Path], footage: Footage) -> Samples:
    """Read Kinetics' lists.

    A file `<id>.mp4` is taken for the clip itself; only where the lists cut several clips from one id, it is the whole
    video, and the clip lies at the times of the list. Rows without a label (the test set as first published) are left
    out. Classes are in alphabetical order, which is the order of published models.

    Args:
        files: Split -> list; a `split` column goes before the file's name.
        footage: Where the videos are.

    Raises:
        ValueError: A mistake, named by file and line; or none of the videos is there.
    """
    rows: list[tuple[str, str, str, float, float, str]] = []
    unlabelled = 0
    for split, path in files.items():
        for where, row in read_records(path, ("youtube_id", "time_start", "time_end")):
            word = row.get("split", "").lower() or split
            if word not in SPLITS:
                raise ValueError(f"{where}: no split {word!r}; train, validate or test was wanted")
            start_s, end_s = (real(row[name], where, name) for name in ("time_start", "time_end"))
            refuse_times(start_s, end_s, where)
            if not row["youtube_id"]:
                raise ValueError(f"{where}: no youtube_id")
            if row.get("label"):
                rows.append((where, row["label"], row["youtube_id"], start_s, end_s, SPLITS[word]))
            else:
                unlabelled += 1
    times = defaultdict(set)
    for _, _, name, start_s, end_s, _ in rows:
        times[name].add((start_s, end_s))
    cut_here = any(len(clips) > 1 for clips in times.values())
    gathered = Gathered(next(iter(files.values())), footage, may_miss=True)
    by_id = 0
    for where, label, name, start_s, end_s, split in rows:
        clip = f"{name}_{start_s:06.0f}_{end_s:06.0f}"
        if footage.find(clip, label, split) or not footage.find(name, label, split):
            gathered.add(split, [Row(where, clip, (label,), (split,), name)])
        else:
            by_id += 1
            stretch = (start_s, end_s) if cut_here else (None, None)
            gathered.add(split, [Row(where, name, (label,), (split,), name, *stretch)])
    notes = []
    if by_id:
        taken = "the whole videos, cut at the times of the list" if cut_here else "the clips, already cut"
        notes.append(f"{by_id} files are named by id alone and taken for {taken}")
    if unlabelled:
        notes.append(f"{unlabelled} rows have no label; left out")
    return gathered.samples(sorted({row[1] for row in rows}), "Kinetics CSV", notes=notes)
