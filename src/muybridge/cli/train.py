"""`muybridge train`: from a folder of clips to a model in one file, with its curve and confusion matrix."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muybridge.cli import console
from muybridge.cli.checkpoints import fetched
from muybridge.cli.run_folder import claimed, find_run, has_begun, new_folder, recall, remember, stem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muybridge.build import Training
    from muybridge.engine.fit import FitResult
    from muybridge.metrics.multi_label import MultiLabelEvaluation
    from muybridge.metrics.recognition import Evaluation
    from muybridge.recipe import Recipe


def train(
    data: Annotated[
        Path,
        typer.Argument(
            help="Folder with a folder per class (perhaps under train/ and val/), a `path label` list, or the "
            "annotations of a published data set."
        ),
    ],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[SETTING=VALUE]...", help="Single settings: train.lr=0.01")
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of the videos, where they are not near the annotations."),
    ] = None,
    split_number: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Which of several published splits (UCF101, HMDB51, UCF-Crime); default 1.",
        ),
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
            "published weights; the classifier is replaced if labels differ. With --model, what has learnt from RGB "
            "starts its like for flow.",
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
        resume = find_run(resume)
        recipe, out = recipe or str(resume / "recipe.json"), out or resume
        story = recall(resume)
        videos = videos or (Path(story["footage"]) if story.get("footage") else None)
        split_number = split_number or story.get("split_number")
        start, model = start or story.get("start"), model or story.get("start_model")
    loaded = load_recipe(recipe or ("finetune" if start else "scratch"), overrides)
    out = out or new_folder(stem(start) or loaded.model.name)
    if start and not (resume and has_begun(resume)):
        start = fetched(start)
    run_training(
        data,
        loaded,
        out,
        videos=videos,
        split_number=split_number,
        start=start,
        start_model=model,
        resume=resume,
        devices=devices,
        nodes=nodes,
    )


def run_training(
    data: Path,
    recipe: Recipe,
    out: Path,
    *,
    videos: Path | None = None,
    split_number: int | None = None,
    start: str | Path | None = None,
    start_model: str | None = None,
    resume: Path | None = None,
    devices: str = "auto",
    nodes: int = 1,
) -> Path:
    """Train, measure on what was held out, and write the model and its pictures.

    Args:
        data: As for `read_samples`.
        recipe: Settings.
        out: Folder for all that comes out.
        videos: As for `read_samples`.
        split_number: Its `fold`.
        start: Weights to start from; of a run that is gone on with, those that it once started from.
        start_model: Which model they are for, where the file leaves that open.
        resume: Folder of a run to go on with. One that was killed in its first epoch starts anew.
        devices: As for `fit`.
        nodes: As for `fit`.

    Returns:
        The model's file.
    """
    from muybridge.build import build_training
    from muybridge.data.layouts import read_samples
    from muybridge.engine.fit import is_main_process

    goes_on = resume is not None and has_begun(resume)
    samples = read_samples(data, videos, split_number)
    plan = build_training(
        recipe, samples, start=None if goes_on else start, start_model=None if goes_on else start_model
    )
    story = {
        "data": str(data.resolve()),
        "footage": videos and str(videos.resolve()),
        "split_number": split_number,
        "start": None if start is None else str(start),
        "start_model": start_model,
    }
    model_file = out / "model.safetensors"
    with claimed(out, resume) if is_main_process() else nullcontext():
        _train(plan, out, story, devices, nodes, resume if goes_on else None)
    return model_file


def _train(
    plan: Training, out: Path, story: Mapping[str, Any], devices: str, nodes: int, resume: Path | None
) -> None:
    import json

    from muybridge.engine.fit import fit, is_main_process
    from muybridge.files import write_text
    from muybridge.recipe import dump_recipe

    if is_main_process():
        remember(out, story)
        write_text(out / "recipe.json", json.dumps(dump_recipe(plan.recipe), indent=2) + "\n")
        if plan.samples.layout:
            console.say(f"{story['data']}: {plan.samples.layout}")
        _announce(plan, out)
    try:
        result = fit(
            plan.built.model,
            plan.task,
            plan.train_set,
            plan.val_set,
            plan.recipe.train,
            plan.recipe.data,
            out_dir=out,
            devices=devices,
            nodes=nodes,
            resume=resume,
        )
    except BaseException:
        # What has not come as far as one epoch is no run: nothing could be gone on with.
        if is_main_process() and not has_begun(out):
            shutil.rmtree(out, ignore_errors=True)
        raise
    if is_main_process():
        _finish(plan, result, story, out / "model.safetensors")


def _finish(plan: Training, result: FitResult, source: Mapping[str, Any], model_file: Path) -> None:
    from muybridge import plots
    from muybridge.data.clips import ClipDataset
    from muybridge.model_file import save_model
    from muybridge.tasks.recognition import evaluate

    built, out = plan.built, model_file.parent
    name, held_out = plan.samples.held_out()
    several = plan.samples.multi_label
    test_set = ClipDataset(
        held_out, plan.samples.labels, built.clip, train=False, multi_label=several, flow=plan.flow
    )
    with console.progress(f"measuring on {name}") as step:
        measured = evaluate(built.model, test_set, progress=step)
    save_model(
        model_file,
        built.model,
        name=built.name,
        options=built.options,
        labels=plan.samples.labels,
        clip=built.clip,
        facts=_facts(plan, result, source, name, measured),
        multi_label=several,
    )
    plots.plot_training(result.history, out / "curve.png", best_epoch=result.best_epoch)
    wrote = ["curve.png", _draw(measured, out)]
    figures = ", ".join(f"{_TITLES[k]} {v:.1%}" for k, v in _figures(measured).items() if k in _TITLES)
    console.say(
        f"{name}: {figures} "
        f"({len(measured.targets)} videos, {measured.views} views each; best epoch {result.best_epoch})"
    )
    if name == "val":
        console.say(
            "(the same videos chose the best epoch, so this is a little kind; keep a test set for a report)"
        )
    for path, reason in measured.broken.items():
        console.say(f"could not be read: {path}: {reason}")
    console.say(f"wrote {model_file}, {' and '.join(wrote)} beside it")
    console.say(f"next: muybridge recognize YOUR_VIDEO.mp4 --checkpoint {model_file} --save out.mp4")


_TITLES = {"top1": "top-1", "mean_class": "mean class", "map": "mAP"}


def _figures(measured: Evaluation | MultiLabelEvaluation) -> dict[str, float]:
    from muybridge.metrics.recognition import Evaluation

    if isinstance(measured, Evaluation):
        return {"top1": measured.top1, "top5": measured.top5, "mean_class": measured.mean_class}
    return {"map": measured.mean_average_precision}


def _draw(measured: Evaluation | MultiLabelEvaluation, out: Path) -> str:
    """The picture of what is taken for what; of several labels, of how well each is found."""
    from muybridge import plots
    from muybridge.metrics.recognition import Evaluation

    if isinstance(measured, Evaluation):
        return plots.plot_confusion(measured.confusion, measured.labels, out / "confusion.png").name
    rows = measured.per_class
    scores, videos = [row.average_precision for row in rows], [row.videos for row in rows]
    path = out / "classes.png"
    plots.plot_classes(measured.labels, scores, videos, path, score_name="average precision")
    return path.name


def _facts(
    plan: Training,
    result: FitResult,
    source: Mapping[str, Any],
    measured_on: str,
    measured: Evaluation | MultiLabelEvaluation,
) -> dict[str, Any]:
    import torch

    from muybridge import __version__
    from muybridge.recipe import dump_recipe

    flow = plan.flow
    made = flow and {
        "method": flow.method_of(plan.samples.train[0].path),
        "folder": flow.folder and str(flow.folder.resolve()),
    }
    return {
        **source,
        **({"flow": made} if made else {}),
        "videos": {name: len(samples) for name, samples in plan.samples.splits.items()},
        "recipe": dump_recipe(plan.recipe),
        "best_epoch": result.best_epoch,
        "measured": {
            "on": measured_on,
            **_figures(measured),
            "views": measured.views,
        },
        "versions": {"muybridge": __version__, "torch": torch.__version__},
    }


def _announce(plan: Training, out: Path) -> None:
    samples = plan.samples
    counts = ", ".join(f"{len(found)} {name}" for name, found in samples.splits.items())
    console.say(f"{plan.built.name}: {len(samples.labels)} classes, {counts} videos, into {out}")
    console.say(f"clips of {plan.built.clip.describe()}")
    if plan.flow and plan.flow.folder is None:
        console.say(
            f"note: flow by {plan.flow}, made anew of every clip; stored once, it is only read: "
            "muybridge flow VIDEOS --store FOLDER, then data.flow=FOLDER"
        )
    for note in (*plan.built.notes, *samples.notes):
        console.say(f"note: {note}")
