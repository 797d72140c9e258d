"""HMDB51 (Kuehne et al. 2011): a text file per class and split, `brush_hair_test_split1.txt`."""

from __future__ import annotations

import re
from pathlib import Path

from muybridge.data.annotations import read_lines
from muybridge.data.footage import Footage
from muybridge.data.layouts.gathering import Gathered, Row
from muybridge.data.samples import Samples

HMDB51_FILE = re.compile(r"(.+)_test_split(\d)\.txt")

_SPLIT = {"0": None, "1": "train", "2": "test"}


def read_hmdb51(folder: Path, footage: Footage, fold: int) -> Samples:
    """Read one of HMDB51's three splits.

    A line is `video.avi 1`: 1 is for training, 2 for testing, 0 for neither. Classes are in alphabetical order, which
    is that of published models.

    Args:
        folder: Where the files of all classes are.
        footage: Where the videos are.
        fold: Which split, 1 to 3.

    Raises:
        ValueError: No such split, or a mistake, named by file and line.
    """
    files = {}
    for path in sorted(folder.iterdir()):
        if (match := HMDB51_FILE.fullmatch(path.name)) and int(match[2]) == fold:
            files[match[1]] = path
    if not files:
        folds = sorted({m[2] for p in folder.iterdir() if (m := HMDB51_FILE.fullmatch(p.name))})
        raise ValueError(f"{folder}: no split {fold}; there are {', '.join(folds)}; choose by --split-number")
    gathered = Gathered(folder, footage)
    for label, path in files.items():
        for where, line in read_lines(path):
            # Names hold everything but blanks, `#` at the start included.
            name, _, use = line.rpartition(" ")
            if use not in _SPLIT or not name:
                raise ValueError(f"{where}: {line!r}; `video.avi 1` was wanted (1 train, 2 test, 0 neither)")
            if split := _SPLIT[use]:
                gathered.add(split, [Row(where, name.strip(), (label,))])
    return gathered.samples(sorted(files), f"HMDB51, split {fold}")
