"""Many films at once: what is there already is not filmed again, and a stop at any moment leaves whole films only.

A folder says from the first moment on what it is going to hold. A ledger gets a line for each film that is done; when
all are, the ledger becomes the manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from muybridge.files import write_text

MANIFEST, LEDGER = "manifest.json", ".films.jsonl"

Facts = dict[str, Any]
Row = dict[str, Any]


class Ledger:
    """What a folder holds and is going to hold.

    Args:
        folder: Made where it doesn't exist.
        facts: What decides every film; a folder of other facts is refused.

    Raises:
        ValueError: It holds another data set, or anything else that is not ours.
    """

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.folder, self.facts = folder, facts
        self.rows: dict[str, Row] = {}
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder}: is a file; give a folder")
        folder.mkdir(parents=True, exist_ok=True)
        there = list(self._read())
        if not there and any(path.name != LEDGER for path in folder.iterdir()):
            raise ValueError(f"{folder}: exists and holds something else; give another folder")
        for facts_there, rows in there:
            self._refuse_other(facts_there)
            self.rows |= {row["path"]: row for row in rows}
        if not there:
            self._append({"facts": facts})
        for unfinished in folder.rglob(".*.part"):  # of a run that was killed
            unfinished.unlink()

    def has(self, path: str) -> bool:
        """Whether that film is there, whole and as it was made."""
        row = self.rows.get(path)
        return row is not None and all(
            (self.folder / name).is_file() and sha256(self.folder / name) == digest
            for name, digest in _digests(row)
        )

    def add(self, row: Row) -> None:
        """A film is done."""
        self.rows[row["path"]] = row
        self._append(row)

    def close(self, paths: Sequence[str], more: Facts) -> Path:
        """All films are done: write the manifest, with their rows in this order."""
        facts = {**self.facts, **more, "files": [self.rows[path] for path in paths]}
        head, *rows = json.dumps(facts | {"files": None}), *(json.dumps(row) for row in facts["files"])
        text = head.replace('"files": null}', '"files": [\n' + ",\n".join(rows) + "\n]}\n")
        path = write_text(self.folder / MANIFEST, text)
        (self.folder / LEDGER).unlink(missing_ok=True)
        return path

    def _append(self, line: Row) -> None:
        with (self.folder / LEDGER).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _read(self) -> Iterator[tuple[Facts, list[Row]]]:
        manifest, ledger = self.folder / MANIFEST, self.folder / LEDGER
        if manifest.is_file():
            try:
                given = json.loads(manifest.read_text(encoding="utf-8"))
                yield given, given["files"]
            except (ValueError, KeyError, TypeError):
                raise ValueError(f"{manifest}: no manifest of ours; give another folder") from None
        if ledger.is_file():
            lines = []
            for line in ledger.read_text(encoding="utf-8").splitlines():
                try:
                    lines.append(json.loads(line))
                except ValueError:  # cut off when the power went
                    break
            if lines and "facts" in lines[0]:
                yield lines[0]["facts"], [row for row in lines[1:] if "path" in row]

    def _refuse_other(self, there: Facts) -> None:
        for name, wanted in self.facts.items():
            if there.get(name) != wanted:
                raise ValueError(
                    f"{self.folder}: holds films of {name} {there.get(name)!r}, not {wanted!r}; give another folder"
                )


def sha256(path: Path) -> str:
    """Digest of a file, 64 digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digests(row: Row) -> Iterator[tuple[str, str]]:
    yield row["path"], row["sha256"]
    if "tubes" in row:
        yield row["tubes"], row["tubes_sha256"]
