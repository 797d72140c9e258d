"""`muybridge flow`: optical flow as a film, as a picture, and stored for training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muybridge.cli import console
from muybridge.cli.recognize import expand, seconds
from muybridge.types import VideoError

if TYPE_CHECKING:
    from muybridge.data.flow_store import Stored
    from muybridge.flow.painters import Look

TRACKS = "lucas_kanade"


def flow(
    videos: Annotated[
        list[str],
        typer.Argument(metavar="VIDEO...", help="Video files, folders of them, or globs in quotes."),
    ],
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help=f"tvl1, raft_small, raft_large, farneback, dis, opencv_tvl1; {TRACKS} follows single points.",
        ),
    ] = "tvl1",
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Show it: a film (.mp4), a picture of six moments (.png), or a folder."
        ),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Store it for training: a new folder, or one to go on with."),
    ] = None,
    beside: Annotated[bool, typer.Option("--beside", help="Show frame and flow side by side.")] = False,
    on_frame: Annotated[
        bool, typer.Option("--on-frame", help="Show the frame, what moves coloured over it.")
    ] = False,
    arrows: Annotated[bool, typer.Option("--arrows", help="Draw arrows too.")] = False,
    brightness: Annotated[
        bool,
        typer.Option(
            "--brightness", help="Rest is black and speed is brightness, instead of white and colour."
        ),
    ] = False,
    largest: Annotated[
        float | None,
        typer.Option(metavar="PIXELS", help="Motion of the full colour; default what little of it exceeds."),
    ] = None,
    short_side: Annotated[
        int,
        typer.Option(
            metavar="PIXELS", min=16, help="Shorter side of the frames; smaller videos keep their size."
        ),
    ] = 256,
    bound: Annotated[
        float, typer.Option(metavar="PIXELS", help="What is stored is truncated at so many pixels.")
    ] = 20.0,
    format: Annotated[
        str, typer.Option(metavar="NAME", help="Store as video (one film) or jpeg (pairs x_00001, y_00001).")
    ] = "video",
    quality: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Of what is stored: a film's quantizer (0 lossless, default 10), a JPEG's quality (default 95).",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method, such as lambda_=0.3."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="cpu, cuda, cuda:1, ...; default a GPU if there is one."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Processes that store; default one for each core, one for a GPU."
        ),
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Use what a damaged file still gives.")] = False,
    max_duration: Annotated[
        float | None, typer.Option(parser=seconds, metavar="TIME", help="Longest video to read; default 12h.")
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Largest frame to read; default 67108864 pixels.")
    ] = None,
) -> None:
    """Compute optical flow: how far every pixel moves from one frame to the next.

    What is stored can be stopped at any moment; the same command goes on. A video that can't be read gets one line, the
    others are still done, and the exit code is 2.
    """
    if save is None and store is None:
        raise ValueError("nothing to make: give --save flow.mp4, --store FOLDER, or both")
    if beside and on_frame:
        raise ValueError("--beside and --on-frame exclude each other; give one of them")
    if method == TRACKS and store is not None:
        raise ValueError(
            f"{TRACKS} follows single points, which are not stored; give --save, or another --method"
        )
    options = dict(map(_setting, settings or []))
    paths = _videos(videos)
    targets = [_target(save, path, paths) for path in paths]
    from muybridge.flow.painters import Look

    look = Look(
        layout="beside" if beside else "frame" if on_frame else "flow",
        arrows=arrows,
        magnitude="brightness" if brightness else "saturation",
        largest=largest,
    )
    limits = {"max_duration_s": max_duration, "max_pixels": max_pixels}
    reading: dict[str, Any] = {name: limit for name, limit in limits.items() if limit is not None}
    reading["on_error"] = "partial" if partial else "raise"
    how = {"method": method, "options": options, "device": _device(device, method)}
    failed = 0
    stored = None
    if store is not None:
        from muybridge.flow.storing import Storing

        storing = Storing(format=format, short_side=short_side, bound=bound, quality=quality)  # type: ignore[arg-type]  # checked there
        stored = _store(videos, paths, store, storing, workers, reading, how)
        failed = len(stored.broken)
    if save is not None:
        failed += _show(paths, targets, look, short_side, reading, how, stored)
    if failed:
        if len(paths) > 1:
            console.say(f"{len(paths) - failed} of {len(paths)} videos done")
        raise typer.Exit(2)


def _store(
    videos: list[str],
    paths: list[Path],
    out: Path,
    storing: Any,
    workers: int | None,
    reading: dict[str, Any],
    how: dict[str, Any],
) -> Stored:
    from muybridge.data.flow_store import write_store

    # Folders as they are given: flow lies in them as the videos do.
    sources = [Path(name) if Path(name).is_dir() else path for name in videos for path in expand([name])]
    sources = [path for path in dict.fromkeys(sources) if path.is_dir() or path in paths]
    with console.progress("computing flow") as step:
        report = write_store(sources, out, storing, workers=workers, reading=reading, progress=step, **how)
    for reason in report.broken.values():
        console.fail(reason)
    if report.made or report.ready:
        console.out(report.describe(broken=False))
    return report


def _show(
    paths: list[Path],
    targets: list[Path | None],
    look: Look,
    short_side: int,
    reading: dict[str, Any],
    how: dict[str, Any],
    stored: Stored | None,
) -> int:
    """Draw each video's flow, from what is stored if it is; gives how many could not be read."""
    from muybridge.flow.film import film_flow
    from muybridge.flow.methods import open_method
    from muybridge.flow.store import open_flow
    from muybridge.video import Video

    failed = 0
    maker: Any = TRACKS
    if stored is None and how["method"] != TRACKS:
        maker = open_method(how["method"], device=how["device"], **how["options"])
    for path, target in zip(paths, targets, strict=True):
        if target is None or (stored is not None and path in stored.broken):
            continue
        try:
            with console.progress(f"drawing {target.name}") as step, Video(path, **reading) as video:
                source = maker if stored is None else open_flow(stored.targets[path])
                film_flow(video, target, source, look=look, short_side=short_side, progress=step)
        except VideoError as error:
            console.fail(str(error))
            failed += 1
            continue
        console.say(f"wrote {target}")
    return failed


def _videos(arguments: list[str]) -> list[Path]:
    """The videos that are meant; flow that is stored beside them is none."""
    from muybridge.data.footage import is_flow_film

    paths = [path for path in expand(arguments) if not is_flow_film(path.name)]
    if not paths:
        raise ValueError(f"{' '.join(arguments)}: stored flow only; give the videos themselves")
    return paths


def _target(save: Path | None, path: Path, paths: list[Path]) -> Path | None:
    """Where one video's film goes: the file itself for one video, a file in the folder for several."""
    if save is None:
        return None
    if save.suffix and not save.is_dir():
        if save.suffix.lower() not in (".mp4", ".m4v", ".png"):
            raise ValueError(f"{save}: wanted a film (.mp4), a picture (.png) or a folder")
        if len(paths) > 1:
            raise ValueError(f"{save}: one file for {len(paths)} videos; give a folder instead")
        if not save.parent.is_dir():
            raise ValueError(f"{save}: the folder {save.parent} does not exist; make it first")
        return save
    save.mkdir(parents=True, exist_ok=True)
    same = [other for other in paths if other.stem == path.stem]
    number = f"-{same.index(path) + 1}" if len(same) > 1 else ""
    return save / f"{path.stem}{number}.mp4"


def _setting(text: str) -> tuple[str, Any]:
    """`NAME=VALUE`; the value is a number, true, false, or else a word."""
    import json

    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"--set {text}: wanted NAME=VALUE, for example lambda_=0.3")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()


def _device(device: str | None, method: str) -> str | None:
    """Where to compute: a GPU if there is one and the method knows how."""
    if not method.startswith(("tvl1", "raft")):
        return None
    if device is not None:
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else None
