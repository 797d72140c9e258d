"""`muybridge train`: from a folder of clips to a model in one file, with its curve and confusion matrix."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muybridge.cli import console
from muybridge.cli.checkpoints import fetched

if TYPE_CHECKING:
    from muybridge.build import Training
    from muybridge.engine.fit import FitResult
    from muybridge.metrics.recognition import Evaluation
    from muybridge.recipe import Recipe


def train(
    data: Annotated[
        Path,
        typer.Argument(
            help="Folder with a folder per class (perhaps under train/ and val/), or a `path label` list."
        ),
    ],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[SETTING=VALUE]...", help="Single settings: train.lr=0.01")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of a model; see `muybridge models`. With --start: which one a weight file is, "
            "where it leaves that open, or which one an image network grows into.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Name of a recipe, or a .toml file; default scratch, or finetune with --start.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="New folder for all that comes out; default runs/MODEL."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME",
            help="Weights to start from: a file (ours, another project's, or an image network's) or the name of "
            "published weights; the classifier is replaced if labels differ.",
        ),
    ] = None,
    freeze_backbone: Annotated[
        bool, typer.Option("--freeze-backbone", help="Train the classifier alone, on frozen features.")
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Go on with the run in this folder, with its own recipe."),
    ] = None,
    devices: Annotated[
        str, typer.Option(metavar="N", help="GPUs to use (or CPU processes): a number, or auto.")
    ] = "auto",
    nodes: Annotated[int, typer.Option(metavar="N", min=1, help="Machines; start each with torchrun.")] = 1,
) -> None:
    """Train a model on labelled videos.

    The output folder holds model.safetensors (weights, labels, clip and facts in one file), curve.png,
    confusion.png, metrics.csv and TensorBoard logs.
    """
    from muybridge.recipe import load_recipe

    overrides = [*(settings or ()), *([f"model.name={model}"] if model and not start else ())]
    if freeze_backbone:
        overrides.append("train.freeze_backbone=true")
    if resume is not None:
        resume = resume if resume.is_dir() else resume.parent
        recipe, out = recipe or str(resume / "recipe.json"), out or resume
    loaded = load_recipe(recipe or ("finetune" if start else "scratch"), overrides)
    out = out or _new_folder(_stem(start) or loaded.model.name)
    start = fetched(start) if start else None
    run_training(
        data, loaded, out, start=start, start_model=model, resume=resume, devices=devices, nodes=nodes
    )


def run_training(
    data: Path,
    recipe: Recipe,
    out: Path,
    *,
    start: str | Path | None = None,
    start_model: str | None = None,
    resume: Path | None = None,
    devices: str = "auto",
    nodes: int = 1,
) -> Path:
    """Train, measure on what was held out, and write the model and its pictures.

    Returns:
        The model's file.
    """
    import json

    from muybridge.build import build_training
    from muybridge.engine.fit import fit, is_main_process
    from muybridge.files import write_text
    from muybridge.recipe import dump_recipe

    plan = build_training(recipe, data, start=start, start_model=start_model)
    if is_main_process():
        _claim(out, resume)
        _announce(plan, out)
        write_text(out / "recipe.json", json.dumps(dump_recipe(plan.recipe), indent=2) + "\n")
    try:
        result = fit(
            plan.built.model,
            plan.task,
            plan.train_set,
            plan.val_set,
            recipe.train,
            recipe.data,
            out_dir=out,
            devices=devices,
            nodes=nodes,
            resume=resume,
        )
    except BaseException:
        # What has not come as far as one epoch is no run: nothing could be gone on with.
        if is_main_process() and not (out / "last.ckpt").exists():
            shutil.rmtree(out, ignore_errors=True)
        raise
    model_file = out / "model.safetensors"
    if is_main_process():
        _finish(plan, result, data, model_file)
    return model_file


def _finish(plan: Training, result: FitResult, data: Path, model_file: Path) -> None:
    from muybridge import plots
    from muybridge.data.clips import ClipDataset
    from muybridge.model_file import save_model
    from muybridge.tasks.recognition import evaluate

    built, out = plan.built, model_file.parent
    name, held_out = plan.samples.held_out()
    test_set = ClipDataset(held_out, plan.samples.labels, built.clip, train=False)
    with console.progress(f"measuring on {name}") as step:
        measured = evaluate(built.model, test_set, progress=step)
    save_model(
        model_file,
        built.model,
        name=built.name,
        options=built.options,
        labels=plan.samples.labels,
        clip=built.clip,
        facts=_facts(plan, result, data, name, measured),
    )
    plots.plot_training(result.history, out / "curve.png", best_epoch=result.best_epoch)
    plots.plot_confusion(measured.confusion, measured.labels, out / "confusion.png")
    console.say(
        f"{name}: top-1 {measured.top1:.1%}, mean class {measured.mean_class:.1%} "
        f"({len(measured.targets)} videos, {measured.views} views each; best epoch {result.best_epoch})"
    )
    if name == "val":
        console.say(
            "(the same videos chose the best epoch, so this is a little kind; keep a test set for a report)"
        )
    for path, reason in measured.broken.items():
        console.say(f"could not be read: {path}: {reason}")
    console.say(f"wrote {model_file}, curve.png and confusion.png beside it")
    console.say(f"next: muybridge recognize YOUR_VIDEO.mp4 --checkpoint {model_file} --save out.mp4")


def _facts(
    plan: Training, result: FitResult, data: Path, measured_on: str, measured: Evaluation
) -> dict[str, Any]:
    import torch

    from muybridge import __version__
    from muybridge.recipe import dump_recipe

    return {
        "data": str(data.resolve()),
        "videos": {name: len(samples) for name, samples in plan.samples.splits.items()},
        "recipe": dump_recipe(plan.recipe),
        "best_epoch": result.best_epoch,
        "measured": {
            "on": measured_on,
            "top1": measured.top1,
            "top5": measured.top5,
            "mean_class": measured.mean_class,
            "views": measured.views,
        },
        "versions": {"muybridge": __version__, "torch": torch.__version__},
    }


def _announce(plan: Training, out: Path) -> None:
    samples = plan.samples
    counts = ", ".join(f"{len(found)} {name}" for name, found in samples.splits.items())
    console.say(f"{plan.built.name}: {len(samples.labels)} classes, {counts} videos, into {out}")
    console.say(f"clips of {plan.built.clip.describe()}")
    for note in (*plan.built.notes, *samples.notes):
        console.say(f"note: {note}")


def _claim(out: Path, resume: Path | None) -> None:
    """Make the output folder; a run never writes over another one."""
    if resume is None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: exists already; give another --out, or go on with that run: --resume {out}")
    out.mkdir(parents=True, exist_ok=True)


def _new_folder(name: str) -> Path:
    """`runs/NAME`, or the first free `runs/NAME-2`, `runs/NAME-3`, ..."""
    base = Path("runs") / name.replace(":", "_").replace("/", "_")
    number = 1
    path = base
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}")
    return path


def _stem(start: str | None) -> str | None:
    """A name for what grows out of `runs/tiny3d/model.safetensors`: `tiny3d-tuned`."""
    if start is None:
        return None
    path = Path(start)
    return f"{path.resolve().parent.name if path.stem == 'model' else path.stem}-tuned"
