"""`muybridge extract`: what is seen in a video, as numbers in a file."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muybridge.cli import console
from muybridge.types import VideoError

if TYPE_CHECKING:
    from muybridge.trajectories.settings import Settings
    from muybridge.trajectories.store import Saved

FEATURES = ("trajectories",)


def extract(
    videos: Annotated[
        str, typer.Argument(metavar="VIDEO", help="A video, a folder of videos, or a glob in quotes.")
    ],
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="A .npz or .safetensors file; for several videos a folder."),
    ],
    features: Annotated[
        str, typer.Option(metavar="KIND", help="What is extracted: trajectories.")
    ] = "trajectories",
    save: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write the video with its tracks drawn on it (.mp4, or a folder)."),
    ] = None,
    suffix: Annotated[
        str, typer.Option("--format", metavar="KIND", help="Files in a folder: safetensors or npz.")
    ] = "safetensors",
    flow: Annotated[
        str, typer.Option(metavar="METHOD", help="Optical flow: farneback as the authors', tvl1, dis, ...")
    ] = "farneback",
    camera: Annotated[
        bool,
        typer.Option("--camera/--no-camera", help="Take the camera's motion out (2013), or leave it (2011)."),
    ] = True,
    short_side: Annotated[
        int, typer.Option(metavar="PIXELS", min=32, help="Larger videos are made so small first.")
    ] = 256,
    length: Annotated[
        int, typer.Option(metavar="FRAMES", min=3, help="How long a point is followed; a multiple of 3.")
    ] = 15,
    step: Annotated[
        int, typer.Option(metavar="PIXELS", min=1, help="Distance of the points that are followed.")
    ] = 5,
    patch: Annotated[
        int, typer.Option(metavar="PIXELS", min=2, help="Side of the square that is described round a point.")
    ] = 32,
    scales: Annotated[int, typer.Option(metavar="N", min=1, help="Most sizes of the picture.")] = 8,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where flow is computed: cpu, cuda, ...; default cpu.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes for several videos; default one a core.")
    ] = None,
) -> None:
    """Find a video's dense trajectories: points followed over 15 frames, and what is seen around them.

    A file holds points (n, 16, 2), last_frame, scale, and the descriptors shape (n, 30), hog (n, 96), hof (n, 108),
    mbh_x and mbh_y (n, 96). Stopped at any moment, the same command goes on with the videos that are missing. A video
    that can't be read gets one line on standard error; the others are still done, and the exit code is 2.
    """
    from muybridge.cli.recognize import expand
    from muybridge.trajectories.settings import Settings

    if features not in FEATURES:
        raise ValueError(f"--features {features}: there is only {', '.join(FEATURES)}")
    if suffix not in ("safetensors", "npz"):
        raise ValueError(f"--format {suffix}: it must be safetensors or npz")
    settings = Settings(camera=camera, length=length, step=step, patch=patch, scales=scales)
    _refuse_method(flow)
    paths = expand([videos])
    if not paths:
        raise ValueError(f"{videos}: matches no video; check the pattern")
    one = len(paths) == 1 and bool(out.suffix) and not out.is_dir()
    plan = Job(paths[0], out, save, settings, flow, short_side, device)
    jobs = [plan] if one else _jobs(Path(videos), paths, plan, f".{suffix}")
    failed = _do(jobs, 1 if one else workers or os.cpu_count() or 1)
    if failed:
        if len(jobs) > 1:
            console.say(f"{len(jobs) - failed} of {len(jobs)} videos done")
        raise typer.Exit(2)


@dataclass(frozen=True, slots=True)
class Job:
    """One video."""

    video: Path
    out: Path
    draw: Path | None
    settings: Settings
    flow: str
    short_side: int
    device: str | None

    def __str__(self) -> str:
        return str(self.video)


def _refuse_method(flow: str) -> None:
    from muybridge.flow import check_method
    from muybridge.trajectories.pictures import opencv

    check_method(flow)
    opencv()


def _jobs(top: Path, paths: list[Path], plan: Job, suffix: str) -> list[Job]:
    """One per video; the files lie in their folders as the videos do in theirs."""
    out, save = plan.out, plan.draw
    for folder in (out, save):
        if folder is not None and folder.suffix and not folder.is_dir():
            raise ValueError(f"{folder}: one file for {len(paths)} videos; give a folder instead")
    below = top.is_dir() and paths != [top]  # a folder of frames is a video itself
    root = top if below else Path(os.path.commonpath([path.parent for path in paths]))
    jobs: dict[Path, Job] = {}
    for path in paths:
        place = path.relative_to(root)
        target = (out / place).with_suffix(suffix)
        if target in jobs:  # a.mp4 and a.avi
            target = (out / place).with_name(f"{place.name}{suffix}")
        drawn = None if save is None else (save / target.relative_to(out)).with_suffix(".mp4")
        jobs[target] = replace(plan, video=path, out=target, draw=drawn)
    for job in jobs.values():
        job.out.parent.mkdir(parents=True, exist_ok=True)
        if job.draw is not None:
            job.draw.parent.mkdir(parents=True, exist_ok=True)
    return list(jobs.values())


def _do(jobs: list[Job], workers: int) -> int:
    """How many failed."""
    if len(jobs) == 1:
        with console.progress(jobs[0].video.name) as step:
            told = _extract(jobs[0], step, again=True)
        return _tell(told)
    from muybridge.data.crew import side_by_side

    failed = 0
    with console.progress("trajectories") as step:
        for done, (_, told) in enumerate(side_by_side(_extract_beside, jobs, workers), 1):
            failed += _tell(told)
            step(done, len(jobs))
    return failed


def _extract_beside(job: Job) -> Saved | str:
    """`_extract` in one of several processes, each with a core of its own."""
    import torch

    from muybridge.trajectories.pictures import opencv

    torch.set_num_threads(1)
    opencv().setNumThreads(1)
    return _extract(job)


def _extract(job: Job, step: object = None, *, again: bool = False) -> Saved | str:
    """What came of one video, or why nothing did."""
    from muybridge.data.crew import proceed
    from muybridge.trajectories.store import save_trajectories

    def go_on(done: int, total: int) -> None:
        proceed()
        if callable(step):
            step(done, total)

    try:
        return save_trajectories(
            job.video,
            job.out,
            settings=job.settings,
            flow=job.flow,
            short_side=job.short_side,
            device=job.device,
            draw=job.draw,
            again=again,
            progress=go_on,
        )
    except VideoError as error:
        return str(error)


def _tell(told: Saved | str) -> int:
    """1 if it failed."""
    if isinstance(told, str):
        console.fail(told)
        return 1
    ready = ", ready" if told.ready else ""
    left = f", {told.scenery} moved with the scene" if told.scenery else ""
    console.out(f"{told.path}: {told.count} trajectories{left}, {told.frames} frames{ready}")
    return 0
