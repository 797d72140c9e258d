"""How the command line speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

BAR_CELLS = 20


def out(text: str = "") -> None:
    """A line of the result."""
    typer.echo(text)


def say(text: str = "") -> None:
    """A line about the work."""
    typer.echo(text, err=True)


def fail(text: str) -> None:
    """The one line that tells what went wrong."""
    typer.echo(f"muybridge: {' '.join(text.split())}", err=True)


@contextmanager
def progress(text: str, *, of_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar with the time left on standard error; silent where nobody watches (not a terminal).

    Args:
        text: What is done.
        of_bytes: It counts bytes, which are told in MB with their rate.
    """
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn() if of_bytes else MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def score_bar(score: float) -> str:
    """A bar of block characters for a score of 0..1."""
    filled = round(score * BAR_CELLS)
    return "█" * filled + "░" * (BAR_CELLS - filled)


def table(rows: Sequence[Sequence[str]], *, head: Sequence[str] = ()) -> str:
    """Columns as wide as their widest cell; numbers to the right."""
    lines = [list(head), *map(list, rows)] if head else [list(row) for row in rows]
    if not lines:
        return ""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = []
    for number, line in enumerate(lines):
        cells = [
            cell.rjust(width) if _is_number(cell) else cell.ljust(width)
            for cell, width in zip(line, widths, strict=True)
        ]
        text.append("  ".join(cells).rstrip())
        if head and number == 0:
            text.append("  ".join("-" * width for width in widths))
    return "\n".join(text)


def _is_number(cell: str) -> bool:
    return cell.rstrip("%").lstrip("+").replace(".", "", 1).replace("-", "", 1).isdigit()
