"""`muybridge demo`: the whole line in a few minutes, with no data and no download."""

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
STORY = ("walk", "wave", "jump", "run", "fall")


def demo(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="[FOLDER]", help="Folder for all that comes out; an earlier demo in it is replaced."
        ),
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Another seed films other people.")] = 0,
) -> None:
    """Film a small data set, train on it, recognize a video the model has not seen, and show the answer."""
    began = time.monotonic()
    _clear(out)
    film = _film(out, seed)
    story, truth = _story(out, seed)
    model_file = _train(film, out, seed)
    result = _recognize(model_file, story)
    console.say("4/4  drawing the answer")
    with console.progress("drawing") as step:
        overlay = result.save(out / "annotated.mp4", progress=step)
    result.save(out / "result.json")
    pictures = {
        "Training": model_file.parent / "curve.png",
        "Confusion on held-out videos": model_file.parent / "confusion.png",
    }
    page = result.save(out / "report.html", overlay=overlay, pictures=pictures, truth=truth)
    shutil.copy(pictures["Training"], out / "curve.png")
    shutil.copy(pictures["Confusion on held-out videos"], out / "confusion.png")
    _farewell(out, page, model_file, result, truth, time.monotonic() - began)


def _clear(out: Path) -> None:
    """Make the folder, and empty it if an earlier demo filled it; never anything else."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARK).exists())):
        raise ValueError(f"{out}: exists and is no earlier demo; give another folder: muybridge demo FOLDER")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MARK).touch()


def _film(out: Path, seed: int) -> Path:
    from muybridge.data.figures import film_dataset

    console.say("1/4  filming people of our own (6 actions, 216 clips)")
    with console.progress("filming") as step:
        return film_dataset(out / "film", seed=seed, progress=step, workers=2)


def _story(out: Path, seed: int) -> tuple[Path, list[tuple[str, float, float]]]:
    from muybridge.data.figures import film_story

    story = out / "unseen.mp4"
    return story, film_story(story, actions=STORY, seed=seed + 4, size=(360, 480))


def _train(film: Path, out: Path, seed: int) -> Path:
    from muybridge.cli.train import run_training
    from muybridge.recipe import load_recipe

    console.say("2/4  training a small model on them")
    recipe = load_recipe("demo", [f"train.seed={seed}"])
    return run_training(film, recipe, out / "run", devices="1")


def _recognize(model_file: Path, story: Path) -> Recognition:
    from muybridge.predict import load

    console.say("3/4  recognizing somebody it has never seen")
    model = load(model_file)
    with console.progress(story.name) as step:
        return model.recognize(story, window_s=1.6, every_s=0.4, progress=step)


def _farewell(
    out: Path,
    page: Path,
    model_file: Path,
    result: Recognition,
    truth: list[tuple[str, float, float]],
    took_s: float,
) -> None:
    console.out(f"\nDone in {took_s:.0f} s. What happens in {result.name}, and what the model says:")
    rows = []
    for action, start_s, end_s in truth:
        middle = (start_s + end_s) / 2
        _, _, best = min(result.timeline(), key=lambda w: abs((w[0] + w[1]) / 2 - middle))
        rows.append((f"{start_s:.1f} s", f"{end_s:.1f} s", action, best[0].label, f"{best[0].score:.0%}"))
    console.out(console.table(rows, head=("from", "to", "truth", "model", "score")))
    shown = [
        (page, "the answer as a page: video, timeline, curve, confusion matrix"),
        (out / "annotated.mp4", "the video with labels drawn on it, with sound"),
        (out / "result.json", "the same for a program"),
        (out / "curve.png", "how training went"),
        (out / "confusion.png", "which of the held-out videos it mistakes for what"),
    ]
    console.out("\nLook at\n" + console.table([(f"  {path}", text) for path, text in shown]))
    command = ".venv/bin/muybridge" if Path(".venv/bin/muybridge").exists() else "muybridge"
    console.out(f"""
Next, on your own footage (a folder per class, videos in it):
  {command} train YOUR_FOLDER --out runs/mine
  {command} recognize YOUR_VIDEO.mp4 --checkpoint runs/mine/model.safetensors --save out.mp4
or with the model of this demo:
  {command} recognize {out}/film/test --checkpoint {model_file} --json -""")
