"""Something-Something v1 and v2 (Goyal et al. 2017, https://arxiv.org/abs/1706.04261).

v2 is JSON: `labels.json` numbers the classes, `train.json` and `validation.json` hold `{"id": "78687", "template":
"Holding [something] next to [something]"}`; the class is the template without its brackets. v1 is CSV with semicolons:
`100218;Something falling like a feather or paper`, and a list of classes, one per line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from muybridge.data.annotations import numbered_classes, read_json, read_lines, read_table, whole
from muybridge.data.footage import Footage
from muybridge.data.layouts.gathering import Gathered, Row
from muybridge.data.samples import Samples


def read_something(files: Mapping[str, Path], footage: Footage) -> Samples:
    """Read its lists; the classes are looked for beside them (`labels.json`, `something-something-v1-labels.csv`).

    The test set, which is published without classes, is left out.

    Args:
        files: Split -> list.
        footage: Where the videos are (v2: `78687.webm`; v1: a folder of frames per id).

    Raises:
        ValueError: No list of classes, or a mistake, named by file and line or entry.
    """
    first = next(iter(files.values()))
    version = 2 if first.suffix == ".json" else 1
    labels = _labels(first)
    gathered = Gathered(first, footage)
    known = frozenset(labels)
    notes = []
    for split, path in files.items():
        if split == "test":
            notes.append(f"{path.name} has no classes; left out")
        else:
            gathered.add(split, (_json_rows if version == 2 else _csv_rows)(path, known))
    return gathered.samples(labels, f"Something-Something v{version}", notes=notes)


def is_something_json(entries: object) -> bool:
    """Whether JSON is a list of its videos."""
    return (
        isinstance(entries, list)
        and bool(entries)
        and isinstance(entries[0], dict)
        and "id" in entries[0]
        and bool({"template", "label", "placeholders"} & set(entries[0]) or len(entries[0]) == 1)
    )


def _labels(beside: Path) -> tuple[str, ...]:
    found = [
        p for p in sorted(beside.parent.iterdir()) if p.stem.endswith("labels") and p.suffix == beside.suffix
    ]
    if not found:
        raise ValueError(f"{beside}: no list of classes beside it; labels{beside.suffix} was wanted")
    path = found[0]
    if path.suffix == ".csv":
        return numbered_classes(
            ((where, name, n) for n, (where, name) in enumerate(read_lines(path))), first=0
        )
    numbers = read_json(path)
    if not isinstance(numbers, dict) or not numbers:
        raise ValueError(f'{path}: no classes; {{"Holding something": "0", ...}} was wanted')
    rows = []
    for name, number in numbers.items():
        where = f"{path}, class {name!r}"
        rows.append((where, name, whole(str(number), where, "its number")))
    return numbered_classes(rows, first=0)


def _json_rows(path: Path, labels: frozenset[str]) -> Iterator[Row]:
    entries = read_json(path)
    if not is_something_json(entries):
        raise ValueError(f'{path}: no list of {{"id": ..., "template": ...}}')
    for number, entry in enumerate(entries, 1):
        where = f"{path}, entry {number}"
        if not isinstance(entry, dict) or not entry.get("id") or not isinstance(entry.get("template"), str):
            raise ValueError(f'{where}: no "id" and "template"')
        yield _row(where, str(entry["id"]), entry["template"].replace("[", "").replace("]", ""), labels)


def _csv_rows(path: Path, labels: frozenset[str]) -> Iterator[Row]:
    for where, row in read_table(path, ";"):
        if len(row) != 2:
            raise ValueError(f"{where}: {len(row)} columns; `id;class` was wanted")
        yield _row(where, row[0], row[1], labels)


def _row(where: str, name: str, label: str, labels: frozenset[str]) -> Row:
    if label not in labels:
        raise ValueError(f"{where}: no class {label!r} in the list of classes")
    return Row(where, name, (label,))
