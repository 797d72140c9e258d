"""`muybridge demo`: what the bundled model says of a film, then a model of one's own, with no data and no download."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from muybridge.cli import console

if TYPE_CHECKING:
    from muybridge.results import Recognition


MARK = ".muybridge-demo"
"""Tells a folder that an earlier demo filled, and that may be emptied."""
STORY = ("walk", "wave", "jump", "sit_down", "run", "fall")
LEARNT = ("walk_left", "walk_right", "wave", "jump", "run", "fall")
BUNDLED = "tiny3d.figures"
Truth = list[tuple[str, float, float]]


def demo(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="[FOLDER]", help="Folder for all that comes out; an earlier demo in it is replaced."
        ),
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another seed films other people.")] = 0,
) -> None:
    """Film somebody, recognize what they do with the model that comes with muybridge, then train one and compare."""
    began = time.monotonic()
    _clear(out)
    story, truth = _story(out, seed)
    result = _recognize(BUNDLED, story)
    with console.progress("drawing") as step:
        overlay = result.save(out / "annotated.mp4", progress=step)
    result.save(out / "result.json")
    page = result.save(out / "report.html", overlay=overlay, truth=truth)
    console.say(f"     {_right(result, truth)}; look at {page}")
    own = _train(_film(out, seed), out, seed)
    console.say("5/5  recognizing the same film with it")
    learnt = _recognize(own, story)
    learnt.save(out / "own.png")
    pictures = {
        "The timeline of the model trained here, on six actions": out / "own.png",
        "Its training": own.parent / "curve.png",
        "Its confusion on held-out videos": own.parent / "confusion.png",
    }
    result.save(out / "report.html", overlay=overlay, pictures=pictures, truth=truth)
    shutil.copy(own.parent / "curve.png", out / "curve.png")
    shutil.copy(own.parent / "confusion.png", out / "confusion.png")
    _farewell(out, own, (result, learnt), truth, time.monotonic() - began)


def _clear(out: Path) -> None:
    """Make the folder, and empty it if an earlier demo filled it; never anything else."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARK).exists())):
        raise ValueError(f"{out}: exists and is no earlier demo; give another folder: muybridge demo FOLDER")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARK).touch()


def _story(out: Path, seed: int) -> tuple[Path, Truth]:
    from muybridge.data.figures import film_story

    console.say("1/5  filming somebody")
    story = out / "unseen.mp4"
    return story, film_story(story, actions=STORY, seed=seed + 4, size=(360, 480))


def _recognize(model: str | Path, story: Path) -> Recognition:
    from muybridge.predict import load

    if model == BUNDLED:
        console.say(f"2/5  recognizing what they do with {BUNDLED}, which comes with muybridge")
    with console.progress(story.name) as step:
        return load(model).recognize(story, window_s=2.0, every_s=0.4, progress=step)


def _film(out: Path, seed: int) -> Path:
    from muybridge.data.figures import film_dataset

    console.say(f"3/5  filming other people for a data set ({len(LEARNT)} actions, {36 * len(LEARNT)} clips)")
    with console.progress("filming") as step:
        return film_dataset(out / "film", seed=seed, actions=LEARNT, progress=step, workers=2)


def _train(film: Path, out: Path, seed: int) -> Path:
    from muybridge.cli.train import run_training
    from muybridge.recipe import load_recipe

    console.say("4/5  training a small model on it, from nothing")
    recipe = load_recipe("demo", [f"train.seed={seed}"])
    return run_training(film, recipe, out / "run", devices="1")


def _said(result: Recognition, start_s: float, end_s: float) -> tuple[str, float]:
    """What a model says in the middle of a stretch."""
    middle = (start_s + end_s) / 2
    _, _, best = min(result.timeline(), key=lambda window: abs((window[0] + window[1]) / 2 - middle))
    return best[0]


def _right(result: Recognition, truth: Truth) -> str:
    right = sum(_said(result, start_s, end_s)[0] == action for action, start_s, end_s in truth)
    return f"{right} of {len(truth)} right"


def _farewell(
    out: Path, own: Path, results: tuple[Recognition, Recognition], truth: Truth, took_s: float
) -> None:
    console.out(f"\nDone in {took_s:.0f} s. What happens in {results[0].name}, and what is said of it:")
    rows = []
    for action, start_s, end_s in truth:
        answers = [f"{label} {score:.0%}" for label, score in (_said(r, start_s, end_s) for r in results)]
        rows.append((f"{start_s:.1f} s", f"{end_s:.1f} s", action, *answers))
    console.out(console.table(rows, head=("from", "to", "truth", BUNDLED, "trained here")))
    console.out(f"(the model trained here knows {', '.join(LEARNT)} alone)")
    shown = [
        (out / "report.html", "the answer as a page: video, timeline, and how the training went"),
        (out / "annotated.mp4", "the video with labels drawn on it, with sound"),
        (out / "result.json", "the same for a program"),
        (out / "curve.png", "how training went"),
        (out / "confusion.png", "which of the held-out videos the new model mistakes for what"),
    ]
    console.out("\nLook at\n" + console.table([(f"  {path}", text) for path, text in shown]))
    command = ".venv/bin/muybridge" if Path(".venv/bin/muybridge").exists() else "muybridge"
    console.out(f"""
Next, on your own footage (a folder per class, videos in it):
  {command} train YOUR_FOLDER --out runs/mine
  {command} recognize YOUR_VIDEO.mp4 --checkpoint runs/mine/model.safetensors --save out.mp4
or with the models of this demo:
  {command} recognize {out}/film/test --model {BUNDLED}
  {command} recognize {out}/film/test --checkpoint {own} --json -""")
