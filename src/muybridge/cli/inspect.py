"""Commands that only look: `video info`, `doctor`."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from muybridge.cli import console

video_app = typer.Typer(help="Look at video files.", no_args_is_help=True, rich_markup_mode=None)


@video_app.command("info")
def video_info(
    video: Annotated[
        Path, typer.Argument(metavar="VIDEO", help="A video file, or a folder of numbered frames.")
    ],
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines.")] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Count what a damaged file still gives.")
    ] = False,
) -> None:
    """Tell what a file holds; frames are counted, not believed from the header."""
    from dataclasses import asdict

    from muybridge.video import Video

    with Video(video, on_error="partial" if partial else "raise") as opened:
        facts = asdict(opened.meta)
    if json:
        import json as json_module

        console.out(json_module.dumps({"video": str(video)} | facts | {"fps": str(facts["fps"])}))
        return
    rate = facts.pop("fps")
    rows = [
        ("size", f"{facts['width']} x {facts['height']} px"),
        ("frames", str(facts["num_frames"])),
        ("rate", f"{float(rate):.3f} fps ({rate}){', variable' if facts['variable_frame_rate'] else ''}"),
        ("length", f"{facts['duration_s']:.3f} s"),
        ("codec", facts["codec"]),
        ("rotation", f"{facts['rotation']} degrees (applied)"),
        ("sound", "yes" if facts["has_audio"] else "no"),
    ]
    console.out(str(video))
    console.out("\n".join(f"  {name:9} {value}" for name, value in rows))


def doctor() -> None:
    """Tell versions, whether torch and torchvision are a pair, the GPU and the codecs."""
    import av
    import torch

    problems = []
    rows = [("python", platform.python_version()), ("system", platform.platform())]
    for package in ("muybridge", "torch", "torchvision", "av", "lightning", "numpy"):
        rows.append((package, _version(package)))
    if cause := _broken_pair():
        problems.append(
            f"torch {_version('torch')} and torchvision {_version('torchvision')} don't work together ({cause}); "
            "install a pair, for example: pip install torch==2.15.0 torchvision==0.29.2"
        )
    else:
        rows.append(("pair", "torch and torchvision work together"))
    for number in range(torch.cuda.device_count()):
        rows.append((f"cuda:{number}", torch.cuda.get_device_name(number)))
    if not torch.cuda.is_available():
        rows.append(("gpu", "none (everything runs on the CPU)"))
    rows.append(("cpu", f"{torch.get_num_threads()} threads"))
    rows.append(("ffmpeg", " ".join(f"{k} {'.'.join(map(str, v))}" for k, v in av.library_versions.items())))
    for kind, mode, names in (
        ("decodes", "r", ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "gif", "prores")),
        ("encodes", "w", ("libx264", "aac")),
    ):
        missing = [name for name in names if not _has_codec(name, mode)]
        rows.append((kind, " ".join(name for name in names if name not in missing)))
        if missing:
            problems.append(f"this build of PyAV {kind} no {', '.join(missing)}; reinstall av from its wheel")
    console.out("\n".join(f"{name:12} {value}" for name, value in rows))
    for problem in problems:
        console.out(f"problem: {problem}")
    console.out("all is well" if not problems else f"{len(problems)} problem(s)")
    if problems:
        raise typer.Exit(2)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def _broken_pair() -> str | None:
    """Why torchvision's compiled operators don't run with this torch; None if they do."""
    try:
        import torch
        from torchvision import ops

        ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
    except (ImportError, RuntimeError, AttributeError, NotImplementedError) as error:
        return str(error).splitlines()[0]
    return None


def _has_codec(name: str, mode: str) -> bool:
    import av

    try:
        av.Codec(name, mode)  # type: ignore[arg-type]
    except (ValueError, av.FFmpegError):
        return False
    return True
