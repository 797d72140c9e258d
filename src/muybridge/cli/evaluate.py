"""`muybridge test`: honest figures of a trained model, with the number of views and what a view costs."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muybridge.cli import console
from muybridge.cli.checkpoints import fetched, read_labels, tell
from muybridge.types import refuse_flow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muybridge.data.samples import Samples
    from muybridge.metrics.recognition import Evaluation

MOST_ROWS = 30
"""Classes that are printed; the others are in the file of --json."""


def measure(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Data set as for train; test is used, else val (what training held out), else all.",
        ),
    ],
    checkpoint: Annotated[
        str,
        typer.Option(
            metavar="FILE|NAME", help="A trained model, another project's weight file, or published weights."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which model a weight file is, where it leaves that open."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            readable=False,
            help="One label per line, where a weight file doesn't bring its own.",
        ),
    ] = None,
    clips: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Clips per video; default the model's.")
    ] = None,
    crops: Annotated[
        int | None, typer.Option(metavar="N", help="Crops per clip, 1 or 3; default the model's.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="train, val, test or all; default the first there is.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only videos of this group; may be given again.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder for confusion.png and result.json.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout instead of a table.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="cpu, cuda, ...; default a GPU if there is one.")
    ] = None,
) -> None:
    """Measure a model: top-1, top-5, mean class accuracy, a row per class, the confusion matrix."""
    if crops not in (None, 1, 3):
        raise typer.BadParameter(f"--crops is {crops}; it must be 1 or 3")
    names = read_labels(labels)
    source = fetched(checkpoint)  # before torch, whose import takes seconds
    from muybridge import plots
    from muybridge.checkpoints import open_checkpoint
    from muybridge.data.clips import ClipDataset
    from muybridge.data.layouts import read_samples
    from muybridge.data.samples import select
    from muybridge.files import write_text
    from muybridge.models.cost import count_gflops, count_parameters
    from muybridge.predict import choose_device
    from muybridge.tasks.recognition import evaluate

    loaded = open_checkpoint(source, model=model, labels=names)
    refuse_flow(loaded.name, loaded.clip)
    tell(loaded)
    name, samples = select(_as_trained(read_samples(data), data, loaded.facts), split, group or ())
    test_set = ClipDataset(samples, loaded.labels, loaded.clip, train=False, clips=clips, crops=crops)
    network = loaded.model.to(choose_device(device))
    with console.progress(f"testing on {name}") as step:
        measured = evaluate(network, test_set, progress=step)
    facts: dict[str, Any] = {
        "split": name,
        "clips": test_set.clips,
        "crops": test_set.crops,
        "gflops_per_view": count_gflops(loaded.model, loaded.clip),
        "parameters": count_parameters(loaded.model),
    }
    if out:
        out.mkdir(parents=True, exist_ok=True)
        plots.plot_confusion(measured.confusion, measured.labels, out / "confusion.png")
        write_text(out / "result.json", json_module.dumps(measured.to_dict() | facts, indent=2) + "\n")
        console.say(f"wrote {out}/confusion.png and result.json")
    if json:
        console.out(json_module.dumps(measured.to_dict() | facts, ensure_ascii=False))
    else:
        console.out(_describe(measured, name, facts["clips"], facts["crops"]))
        console.out(
            f"\n{loaded.name}: {facts['parameters'] / 1e6:.2f} M parameters, "
            f"{facts['gflops_per_view']:.2f} GFLOPs (multiply-adds) per view"
        )
    for path, reason in measured.broken.items():
        console.say(f"could not be read: {path}: {reason}")
    if measured.broken:
        raise typer.Exit(2)


def _as_trained(samples: Samples, data: Path, facts: Mapping[str, Any]) -> Samples:
    """Part a data set that brings no split as training did, or the model would be asked what it has learnt by heart."""
    from muybridge.data.groups import training_samples
    from muybridge.recipe import Recipe

    if samples.val or samples.test or facts.get("data") != str(data.resolve()):
        return samples
    recipe = Recipe.model_validate(facts["recipe"])
    parted = training_samples(
        samples,
        val_fraction=recipe.data.val_fraction,
        val_groups=recipe.data.val_groups,
        seed=recipe.train.seed,
    )
    if {name: len(part) for name, part in parted.splits.items()} != facts["videos"]:
        console.say("note: the data have changed since training; some of these videos may have been learnt")
    return parted


def _describe(measured: Evaluation, split: str, clips: int, crops: int) -> str:
    rows = [
        (
            row.label,
            str(row.videos),
            "-" if row.accuracy is None else f"{row.accuracy:.1%}",
            "-" if row.precision is None else f"{row.precision:.1%}",
            row.mistaken_for or "",
        )
        for row in measured.per_class
    ]
    more = f"\n... and {len(rows) - MOST_ROWS} more classes" if len(rows) > MOST_ROWS else ""
    lines = [
        f"{split}: {len(measured.targets)} videos, {measured.views} views each ({clips} clips x {crops} crops)",
        f"top-1       {measured.top1:.1%}",
        f"top-5       {measured.top5:.1%}"
        + (" (no more than 5 classes)" if len(measured.labels) <= 5 else ""),
        f"mean class  {measured.mean_class:.1%}",
        "",
        console.table(rows[:MOST_ROWS], head=("class", "videos", "recall", "precision", "mistaken for"))
        + more,
    ]
    if len(measured.labels) <= 12:
        numbers = [str(i + 1) for i in range(len(measured.labels))]
        matrix = [
            (f"{number} {label}", *map(str, row))
            for number, label, row in zip(numbers, measured.labels, measured.confusion.tolist(), strict=True)
        ]
        lines += ["", "confusion (rows: truth, columns: answer)", console.table(matrix, head=("", *numbers))]
    return "\n".join(lines)
