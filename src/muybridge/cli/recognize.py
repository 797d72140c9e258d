"""`muybridge recognize`: labels, a timeline, an overlay and a report for videos, folders and globs."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muybridge.cli import console
from muybridge.cli.opening import DEFAULT_WEIGHTS, check_streams, open_both, open_one
from muybridge.files import write_text
from muybridge.types import VideoError

if TYPE_CHECKING:
    from muybridge.predict import Recognizer, TwoStreams
    from muybridge.results import Recognition

_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """A length of time such as `2s`, `500ms`, `1.5` or `2m`, in seconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|min|h|)\s*", text)
    value = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if value <= 0:
        raise typer.BadParameter(f"{text!r} is not a length of time; write for example 2s, 500ms or 1m")
    return value


def recognize(
    videos: Annotated[
        list[str],
        typer.Argument(metavar="VIDEO...", help="Video files, folders of them, or globs in quotes."),
    ],
    checkpoint: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A trained model, or a weight file of another project."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Published weights (see `muybridge models --weights`), default {DEFAULT_WEIGHTS}; "
            "with --checkpoint: which model the file is, where it leaves that open.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            readable=False,
            help="One label per line, where a weight file doesn't bring its own.",
        ),
    ] = None,
    rgb: Annotated[
        str | None,
        typer.Option(metavar="FILE|NAME", help="Two streams: the model that sees RGB, with --flow."),
    ] = None,
    flow: Annotated[
        str | None,
        typer.Option(metavar="FILE|NAME", help="The one that sees optical flow; both answer together."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="A:B", help="Of --rgb and --flow in their answer; default 1:1."),
    ] = None,
    average: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="What both add up: probabilities (a vote each; default) or logits (the surer counts for more).",
        ),
    ] = None,
    flow_from: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD|FOLDER",
            help="How to make flow, or where it is stored; default as the model was trained, else tvl1.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write the video with its labels drawn on it (.mp4, or a folder)."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write one self-contained page to look at (.html, or a folder)."),
    ] = None,
    json: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write one JSON object per video and line to this file; - for stdout."
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Write the labels and the timeline as a table (.csv, or a folder)."
        ),
    ] = None,
    window: Annotated[
        float | None,
        typer.Option(parser=seconds, metavar="TIME", help="Timeline: length of a window, e.g. 2s."),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(parser=seconds, metavar="TIME", help="Distance of windows; default half a window."),
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="How many labels to tell.")] = 5,
    clips: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Clips per video, without a window; default the model's."),
    ] = None,
    crops: Annotated[
        int | None, typer.Option(metavar="N", help="Crops per clip, 1 or 3; default the model's.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="cpu, cuda, cuda:1, ...; default a GPU if there is one."),
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Use what a damaged file still gives.")] = False,
    max_duration: Annotated[
        float | None, typer.Option(parser=seconds, metavar="TIME", help="Longest video to read; default 12h.")
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Largest frame to read; default 67108864 pixels.")
    ] = None,
) -> None:
    """Say what happens in videos, and with --window when.

    A file that can't be read gets one line on standard error; the others are still done, and the exit code is 2.
    """
    if crops not in (None, 1, 3):
        raise typer.BadParameter(f"--crops is {crops}; it must be 1 or 3")
    if every is not None and window is None:
        raise typer.BadParameter("--every needs --window: give the length of a window too, e.g. --window 2s")
    two = check_streams(rgb, flow, checkpoint or model, weights, average)
    paths = expand(videos)
    targets = [
        (
            _target(save, path, paths, ".mp4"),
            _target(report, path, paths, ".html"),
            _target(csv, path, paths, ".csv"),
        )
        for path in paths
    ]
    recognizer: Recognizer | TwoStreams
    if two:
        recognizer = open_both((rgb, flow), labels, device, flow_from, weights, average)
    else:
        recognizer = open_one(checkpoint or model, model if checkpoint else None, labels, device, flow_from)
    limits = {"max_duration_s": max_duration, "max_pixels": max_pixels}
    reading: dict[str, Any] = {name: limit for name, limit in limits.items() if limit is not None}
    reading["on_error"] = "partial" if partial else "raise"
    lines: list[str] = []
    failed = 0
    for path, (overlay, page, sheet) in zip(paths, targets, strict=True):
        try:
            result = _answer(recognizer, path, reading, window, every, clips, crops)
            _save(result, overlay, page, sheet)
        except VideoError as error:
            console.fail(str(error))
            failed += 1
            continue
        if json == "-":
            console.out(result.to_json(top))
        else:
            console.out(_describe(result, top))
            lines.append(result.to_json(top))
    if json not in (None, "-") and lines:
        console.say(f"wrote {write_text(Path(str(json)), chr(10).join(lines) + chr(10))}")
    if failed:
        if len(paths) > 1:
            console.say(f"{len(paths) - failed} of {len(paths)} videos done")
        raise typer.Exit(2)


def expand(arguments: list[str]) -> list[Path]:
    """Files in order: globs are filled in, folders give the videos below them, a folder of frames is one video.

    Raises:
        ValueError: A glob or a folder that holds no video.
    """
    from muybridge.data.layouts import VIDEO_SUFFIXES, find_videos, is_frame_folder

    found: list[Path] = []
    for argument in arguments:
        path = Path(argument)
        if glob.has_magic(argument) and not path.exists():
            matches = sorted(Path(name) for name in glob.glob(argument, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute patterns
            if not matches:
                raise ValueError(f"{argument}: matches nothing; check the pattern")
            found += [m for m in matches if m.is_file()]
        elif path.is_dir() and not is_frame_folder(path):
            inside = find_videos(path)
            if not inside:
                kinds = " ".join(VIDEO_SUFFIXES)
                raise ValueError(
                    f"{path}: a folder without videos; looked for {kinds} and for numbered frames"
                )
            found += inside
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _answer(
    model: Recognizer | TwoStreams,
    path: Path,
    reading: dict[str, Any],
    window: float | None,
    every: float | None,
    clips: int | None,
    crops: int | None,
) -> Recognition:
    from muybridge.video import Video

    with console.progress(path.name) as step, Video(path, **reading) as video:
        return model.recognize(
            video,
            window_s=window,
            every_s=every,
            clips=clips,
            crops=crops,  # type: ignore[arg-type]  # checked above
            progress=step,
        )


def _save(result: Recognition, overlay: Path | None, page: Path | None, sheet: Path | None) -> None:
    if overlay:
        with console.progress(f"drawing {overlay.name}") as step:
            result.save(overlay, progress=step)
        console.say(f"wrote {overlay}")
    if page:
        with console.progress(f"drawing {page.name}") as step:
            result.save(page, overlay=overlay, progress=step)
        console.say(f"wrote {page}")
    if sheet:
        result.save(sheet)
        console.say(f"wrote {sheet}")


def _target(option: Path | None, path: Path, paths: list[Path], suffix: str) -> Path | None:
    """Where one video's output goes: the file itself for one video, a file in the folder for several."""
    if option is None:
        return None
    if option.suffix.lower() == suffix and not option.is_dir():
        if len(paths) > 1:
            raise ValueError(f"{option}: one file for {len(paths)} videos; give a folder instead")
        return option
    if option.suffix and not option.is_dir():
        raise ValueError(f"{option}: wanted a {suffix} file or a folder")
    option.mkdir(parents=True, exist_ok=True)
    same = [p for p in paths if p.stem == path.stem]
    number = f"-{same.index(path) + 1}" if len(same) > 1 else ""
    return option / f"{path.stem}{number}{suffix}"


def _describe(result: Recognition, top: int) -> str:
    width = max(len(label) for label, _ in result.top(top))
    lines = [f"{result.source or result.name}  ({result.duration_s:.1f} s, {result.views} views)"]
    lines += [
        f"  {label:{width}}  {console.score_bar(score)}  {score:4.0%}" for label, score in result.top(top)
    ]
    lines += [
        f"  {start_s:7.1f} s .. {end_s:7.1f} s  {best[0].label:{width}}  {best[0].score:4.0%}"
        for start_s, end_s, best in result.timeline()
    ]
    return "\n".join(lines)
