"""Annotation files, read so that whatever is wrong in one is told by file and line.

A data set of thousands of videos is described by text that people and scripts have edited. Nothing here guesses: a
line that can't be understood ends the reading, with its number and what was wanted there.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any

LONGEST_LINE = 100_000
SPLITS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validate": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Words for the parts of a data set, and what they are called here."""

_PICKLES = {".pkl", ".pickle", ".pyc", ".npy", ".npz", ".pt", ".pth", ".mat"}
_MAGIC = {
    b"\x80": "a pickle",
    b"PK": "a zip archive",
    b"\x1f\x8b": "packed by gzip",
    b"Rar!": "a RAR archive",
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path) -> str:
    """The text of an annotation file.

    Raises:
        ValueError: No such file, a pickle or an archive, or no UTF-8.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error})") from None
    refuse_binary(path, raw[:4])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}, line {line}: not UTF-8 (byte 0x{raw[error.start]:02x}); save the file as UTF-8 text"
        ) from None
    if "\0" in text:
        raise ValueError(f"{path}: holds zero bytes, so it is no text; give a list, CSV or JSON file")
    return text


def refuse_binary(path: Path, start: bytes = b"") -> None:
    """Refuse what a name or the first bytes show to be no text."""
    what = next((what for magic, what in _MAGIC.items() if start.startswith(magic)), None)
    if path.suffix.lower() in _PICKLES or what == "a pickle":
        raise ValueError(
            f"{path}: a pickle or an array file, which is never opened (it can run code); write what it says as "
            "text, one `path label` per line"
        )
    if what is not None:
        raise ValueError(f"{path}: {what}; unpack it and give what was in it")
    if start.startswith(_UTF16):
        raise ValueError(f"{path}, line 1: UTF-16; save the file as UTF-8 text")


def read_lines(path: Path) -> list[tuple[str, str]]:
    """Lines that hold something, stripped, each with where it stands (`list.txt, line 3`).

    Raises:
        ValueError: As for `read_text`; no lines; or a line that is too long for a list.
    """
    text = read_text(path)
    # Not splitlines(): it would also cut at form feeds and at separators of other scripts.
    lines = re.split(r"\r\n|\n|\r", text)
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise ValueError(
                f"{path}, line {number}: {len(line)} characters in one line; this is no list (a line break per "
                "video was wanted)"
            )
    found = [(f"{path}, line {n}", line.strip()) for n, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise ValueError(f"{path}: the list is empty; write one `path label` per line")
    return found


def read_table(path: Path, mark: str = ",") -> list[tuple[str, list[str]]]:
    """Rows of a CSV file, cells stripped, each with where it stands; a quoted cell may hold line breaks.

    Raises:
        ValueError: As for `read_lines`, or quotes that don't close.
    """
    text = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True, strict=True)
    rows: list[tuple[str, list[str]]] = []
    while True:
        where = f"{path}, line {reader.line_num + 1}"
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise ValueError(f"{where}: broken CSV ({error}); check its quotes") from None
        if any(cell.strip() for cell in row):
            rows.append((where, [cell.strip() for cell in row]))
    if not rows:
        raise ValueError(f"{path}: the list is empty; it should hold a row per video")
    return rows


def read_records(path: Path, columns: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a CSV file with a header line, as column -> cell.

    Args:
        path: The file.
        columns: Those that must be there.

    Raises:
        ValueError: As for `read_table`, a column that isn't there, or a row of another length.
    """
    (where, head), *rows = read_table(path)
    head = [name.lower() for name in head]
    if missing := [name for name in columns if name not in head]:
        raise ValueError(f"{where}: no column {missing[0]!r}; there are {', '.join(head)}")
    if not rows:
        raise ValueError(f"{path}: the list is empty; there is only a header line")
    for where, row in rows:
        if len(row) != len(head):
            raise ValueError(
                f"{where}: {len(row)} columns, the header has {len(head)} ({','.join(head)}); put quotes round "
                "what holds a comma"
            )
        yield where, dict(zip(head, row, strict=True))


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: As for `read_text`, or no JSON, with the line.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}: broken JSON ({error.msg})") from None
    except RecursionError:
        raise ValueError(f"{path}: JSON nested too deeply to be an annotation file") from None


def whole(text: str, where: str, what: str) -> int:
    """A whole number that isn't negative.

    Raises:
        ValueError: Something else.
    """
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise ValueError(f"{where}: {what} is {text!r}; a whole number was wanted")
    return int(text)


def real(text: object, where: str, what: str) -> float:
    """A finite number, given as text or as a JSON number.

    Raises:
        ValueError: Something else.
    """
    try:
        value = float(text) if isinstance(text, str | int | float) and not isinstance(text, bool) else None
    except (ValueError, OverflowError):
        value = None
    if value is None or not isfinite(value):
        raise ValueError(f"{where}: {what} is {text!r}; a number was wanted, for example 2.5")
    return value


def refuse_times(start_s: float, end_s: float, where: str, *, empty: bool = False) -> None:
    """Refuse a stretch of time that runs backwards or begins before the video.

    Args:
        start_s: Its start in seconds.
        end_s: Its end in seconds.
        where: File and line.
        empty: Whether a stretch without length is let pass.
    """
    if start_s < 0:
        raise ValueError(f"{where}: begins at {start_s:g} s; times count from the start of the video, 0")
    if end_s < start_s or (end_s == start_s and not empty):
        raise ValueError(
            f"{where}: from {start_s:g} s to {end_s:g} s is no stretch of time; end after the start"
        )


def numbered_classes(rows: Iterable[tuple[str, str, int]], first: int) -> tuple[str, ...]:
    """Class names in the order of their numbers.

    Args:
        rows: Where it stands, name and number of each class.
        first: Number of the first class, 0 or 1.

    Raises:
        ValueError: A number or a name given twice, or a number left out.
    """
    names: dict[int, str] = {}
    for where, name, number in rows:
        if number in names:
            raise ValueError(f"{where}: class {number} is {names[number]!r} already, now {name!r}")
        if name in names.values():
            raise ValueError(f"{where}: class {name!r} has two numbers")
        names[number] = name
    wanted = range(first, first + len(names))
    if gaps := [number for number in wanted if number not in names]:
        raise ValueError(
            f"{where.partition(', line')[0]}: {len(names)} classes, but no class {gaps[0]}; numbers must run from "
            f"{first} to {wanted[-1]}"
        )
    return tuple(names[number] for number in wanted)


def split_word(name: str) -> str | None:
    """The split that a file name tells of (`Charades_v1_train.csv` -> `train`), as `SPLITS` calls it."""
    found = _split_match(name)
    return None if found is None else SPLITS[found[0].lower()]


def companions(path: Path) -> dict[str, Path]:
    """Split -> file: a train file stands for itself and for those of val and test beside it that are named alike.

    Any other file stands for itself alone, so that one can be measured on it.
    """
    split = split_word(path.name)
    if split != "train":
        return {split or "train": path}
    found = {"train": path}
    for other in sorted(path.parent.iterdir()):
        word = split_word(other.name)
        if word in ("val", "test") and _masked(other.name) == _masked(path.name) and other.is_file():
            found.setdefault(word, other)
    return found


def _masked(name: str) -> str:
    found = _split_match(name)
    return name if found is None else f"{name[: found.start()]}\0{name[found.end() :]}".lower()


def _split_match(name: str) -> re.Match[str] | None:
    words = [found for found in re.finditer(r"[A-Za-z]+", name) if found[0].lower() in SPLITS]
    # `something-something-test-validation`: the last word before the suffix says it.
    return words[-1] if words else None
