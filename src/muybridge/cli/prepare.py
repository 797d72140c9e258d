"""`muybridge data prepare`: a copy of a data set that trains faster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muybridge.cli import console

if TYPE_CHECKING:
    from fractions import Fraction


def prepare(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A folder of any layout, or a list of `path label`.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The copy: a new folder, or one to go on with.")],
    short_side: Annotated[
        int, typer.Option(metavar="PIXELS", help="Shorter side of the films; smaller ones keep their size.")
    ] = 256,
    gop: Annotated[
        int | None, typer.Option(metavar="N", help="A key frame at least every N frames; default 12.")
    ] = None,
    intra: Annotated[
        bool, typer.Option("--intra", help="Every frame a key frame: the fastest to read, and larger.")
    ] = False,
    crf: Annotated[
        int, typer.Option(metavar="N", help="Quality: 0 lossless, 18 looks the same, 51 worst.")
    ] = 18,
    fps: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="Most frames per second (30, 12.5, 30000/1001); default: all are kept, each at its time.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes; default one for each core.")
    ] = None,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="Keep the sound.")] = False,
) -> None:
    """Encode a data set anew for fast training: smaller frames, key frames close together.

    Folders and names stay as they are (what is inside is MP4, also where a name ends in .avi), other files are copied,
    times and frame numbers stay true. Stopped at any moment, the same command goes on. The exit code is 2 if a film
    is broken; the others are there all the same.
    """
    from muybridge.data.prepare import prepare_data
    from muybridge.video.reencode import Encoding

    if intra and gop is not None:
        raise ValueError("--gop and --intra exclude each other; give one of them")
    encoding = Encoding(
        short_side=short_side,
        gop=1 if intra else 12 if gop is None else gop,
        crf=crf,
        fps=_rate(fps),
        audio=audio,
    )
    with console.progress("preparing") as step:
        report = prepare_data(data, out, encoding, workers=workers, progress=step)
    console.out(report.describe())
    if not report.ok:
        raise typer.Exit(2)


def _rate(text: str | None) -> Fraction | None:
    from fractions import Fraction

    if text is None:
        return None
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"--fps {text}: no rate; write 30, 12.5 or 30000/1001") from None
