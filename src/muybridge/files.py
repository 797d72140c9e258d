"""Outputs that are whole or absent: written beside their place under another name, then renamed into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def check_target(path: Path) -> None:
    """Whether a file can appear at `path`: worth asking before long work.

    Raises:
        ValueError: The folder doesn't exist or can't be written into, or `path` is one.
    """
    if not path.parent.is_dir():
        raise ValueError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; give a file name inside it")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"{path}: the folder {path.parent} can't be written into; choose another")


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it becomes `path` when the block ends well and is removed when it doesn't.

    The temporary file keeps the suffix, from which some writers tell the format.

    Raises:
        ValueError: The folder doesn't exist or can't be written into, or `path` is one.
    """
    check_target(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text to a file that appears whole."""
    with appearing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
