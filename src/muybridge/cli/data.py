"""Commands about data sets: `data make`, `data show`, `data check`, `data prepare`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from muybridge.cli import console, prepare

app = typer.Typer(
    help="Make, look at, check and prepare data sets.", no_args_is_help=True, rich_markup_mode=None
)
WORLDS = ("figures",)


@app.command("make")
def make(
    world: Annotated[str, typer.Argument(metavar="figures", help="What is filmed: people of our own.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder, or one to go on with.")],
    size: Annotated[int, typer.Option(metavar="N", min=1, help="Videos in all, held-out ones included.")],
    task: Annotated[
        str, typer.Option(metavar="TASK", help="recognition, temporal or spatiotemporal.")
    ] = "recognition",
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another seed is another data set.")] = 0,
    actions: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Only these actions; default: all.")
    ] = None,
    height: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Of the frames; default 120, spatiotemporal 240.")
    ] = None,
    width: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Of the frames; default 4/3 of the height.")
    ] = None,
    length: Annotated[
        str | None,
        typer.Option(metavar="A-B", help="Seconds of a long video; default 60-300, spatiotemporal 15-60."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Processes; default one for each core.")
    ] = None,
) -> None:
    """Film a data set of procedural people with exact labels: real MP4 files and the field's own annotation files.

    Stopped at any moment, the same command goes on; with a larger --size it adds films.
    """
    from muybridge.data.figures import film_dataset
    from muybridge.data.figures.sets import SIZES

    if world not in WORLDS:
        raise ValueError(
            f"no world {world!r} to film in; type: muybridge data make figures OUT --size {size}"
        )
    default = SIZES.get(task, (120, 160))
    height = height or (default[0] if width is None else 2 * round(width * 3 / 8))
    frame = height, width or 2 * round(height * 2 / 3)
    with console.progress("filming") as step:
        film_dataset(
            out,
            task=task,
            videos=size,
            seed=seed,
            size=frame,
            length_s=_lengths(length),
            actions=None if actions is None else [name.strip() for name in actions.split(",")],
            progress=step,
            workers=workers or os.cpu_count() or 1,
        )
    console.out(_summary(out, task))


def _lengths(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, _, high = text.partition("-")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise ValueError(f"--length {text}: no lengths; write 60-300, or 90") from None


def _summary(out: Path, task: str) -> str:
    """What lies where, and what to type next."""
    import json

    rows = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["files"]
    from fractions import Fraction

    seconds = float(sum(row["frames"] / Fraction(row["fps"]) for row in rows))
    size_mb = sum((out / row["path"]).stat().st_size for row in rows) / 1e6
    numbers = {split: sum(row["split"] == split for row in rows) for split in ("train", "val", "test")}
    said = ", ".join(f"{split} {number}" for split, number in numbers.items())
    lines = {
        "recognition": [
            ("{train,val,test}/ACTION/*.mp4", "the clips, in a folder per class"),
            ("train.csv validate.csv test.csv", "the same as Kinetics lists them"),
        ],
        "temporal": [
            ("videos/*.mp4", "untrimmed videos"),
            ("activitynet.json", "what happens in them from when to when, as ActivityNet writes it"),
        ],
        "spatiotemporal": [
            ("videos/*.mp4", "the films"),
            ("train.csv val.csv test.csv", "boxes, persons and actions at whole seconds, as AVA writes them"),
            ("action_list.pbtxt", "the actions' names"),
            ("*_excluded_timestamps.csv", "moments at which somebody is hidden"),
            ("tubes/*.json", "a box in every frame"),
        ],
    }[task]
    lines.append(("manifest.json", "seed, versions and digests"))
    table = console.table([(f"  {name}", text) for name, text in lines])
    steps = [f"  muybridge data show {out}"]
    if task != "spatiotemporal":
        steps.append(f"  muybridge train {out}")
    head = f"{out}: {len(rows)} films ({said}), {seconds / 60:.1f} minutes, {size_mb:.1f} MB"
    return f"{head}\n{table}\nnext:\n" + "\n".join(steps)


@app.command("show")
def show(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A folder of any layout, or an annotation file.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="PNG", help="The contact sheet; default DATA-sheet.png here.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="MP4", help="The sample; default DATA-sample.mp4 here.")
    ] = None,
) -> None:
    """Write a contact sheet of the classes, and a sample on which the annotations are played."""
    from muybridge.files import check_target
    from muybridge.showing import MOST_CLASSES, contact_sheet, look_at, play

    name = data.resolve().stem
    out, save = out or Path(f"{name}-sheet.png"), save or Path(f"{name}-sample.mp4")
    for target, suffix in ((out, ".png"), (save, ".mp4")):
        if target.suffix.lower() != suffix:
            raise ValueError(f"{target}: a {suffix[1:].upper()} is written; name it {target.stem}{suffix}")
        check_target(target)
    shown = look_at(data)
    if save.resolve() == shown.sample.resolve():
        raise ValueError(f"{save} is the video to be read; give the sample another name")
    with console.progress("contact sheet") as step:
        contact_sheet(shown, out, progress=step)
    with console.progress(shown.sample.name) as step:
        play(shown, save, progress=step)
    some = f"{MOST_CLASSES} of " if len(shown.examples) > MOST_CLASSES else ""
    console.out(f"{data}: {shown.layout}, {some}{len(shown.examples)} classes")
    rows = [(f"  {out}", "the classes"), (f"  {save}", f"{shown.sample.name} with its annotations")]
    console.out(console.table(rows))


@app.command("check")
def check(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder of class folders, a list of `path label`, or the annotations of a published data set.",
        ),
    ],
    videos: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of the videos, where they are not near the annotations."),
    ] = None,
    split_number: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Which of several published splits; default 1."),
    ] = None,
) -> None:
    """Decode every video of a data set; list broken files, class balance and duplicates across splits.

    The exit code is 2 if a file is broken or the same video is on both sides of a split.
    """
    from muybridge.data.check import check_data
    from muybridge.data.layouts import read_samples

    samples = read_samples(data, videos, split_number)
    if samples.layout:
        console.say(f"{data}: {samples.layout}")
    with console.progress("decoding") as step:
        report = check_data(samples, progress=step)
    console.out(report.describe())
    if not report.ok:
        raise typer.Exit(2)


app.command("prepare")(prepare.prepare)
