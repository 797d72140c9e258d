"""`muybridge test`: honest figures of a trained model, with the number of views, what a view costs, how fast it is."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muybridge.cli import console
from muybridge.cli.checkpoints import fetched, read_labels, tell
from muybridge.cli.compare import describe_gains, markdown_table, run_names
from muybridge.cli.measured import describe, draw_gains, facts_of, write
from muybridge.cli.opening import check_streams, open_both
from muybridge.cli.streams import measure_both

if TYPE_CHECKING:
    from collections.abc import Mapping

    from muybridge.data.samples import Samples


def measure(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Data set as for train; test is used, else val (what training held out), else all.",
        ),
    ],
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|NAME", help="A trained model, another project's weight file, or published weights."
        ),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of the videos, where they are not near the annotations; default as trained.",
        ),
    ] = None,
    split_number: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Which of several published splits; default the one it was trained on, or 1.",
        ),
    ] = None,
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
    rgb: Annotated[
        str | None,
        typer.Option(metavar="FILE|NAME", help="Two streams: the model that sees RGB, with --flow."),
    ] = None,
    flow: Annotated[
        str | None,
        typer.Option(metavar="FILE|NAME", help="The one that sees optical flow; each is measured, and both."),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="A:B", help="Of --rgb and --flow in their answer; default 1:1."),
    ] = None,
    average: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="What both add up: probabilities (default) or logits."),
    ] = None,
    flow_from: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD|FOLDER",
            help="How to make flow, or where it is stored; default as the model was trained, else tvl1.",
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="train, val, test or all; default the first there is.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only videos of this group; may be given again.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder for result.json, classes.png and confusion.png; of two streams one each, and gains.png.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="RESULT.json",
            help="Another run's result.json: what each class gained; with --out also as gains.png.",
        ),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="A table row for a model card instead of the tables.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout instead of a table.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="cpu, cuda, ...; default a GPU if there is one.")
    ] = None,
) -> None:
    """Measure a model: top-1, top-5 and mean class accuracy (or mAP), a row per class, what it costs."""
    if crops not in (None, 1, 3):
        raise typer.BadParameter(f"--crops is {crops}; it must be 1 or 3")
    if json and markdown:
        raise typer.BadParameter("--json and --markdown are two ways to answer; choose one")
    if check_streams(rgb, flow, checkpoint or model, weights, average):
        if against:
            raise typer.BadParameter("--against is of one model; leave --rgb and --flow out")
        measure_both(
            data,
            (str(rgb), str(flow)),
            open_both((rgb, flow), labels, device, flow_from, weights, average, data=data),
            videos=videos,
            split_number=split_number,
            split=split,
            groups=group or (),
            clips=clips,
            crops=crops,
            out=out,
            markdown=markdown,
            json=json,
        )
        return
    if checkpoint is None:
        raise typer.BadParameter("which model? give --checkpoint, or two streams: --rgb and --flow")
    names = read_labels(labels)
    source = fetched(checkpoint)  # before torch, whose import takes seconds
    from muybridge.checkpoints import open_checkpoint
    from muybridge.data.clips import ClipDataset
    from muybridge.data.layouts import read_samples
    from muybridge.data.samples import select
    from muybridge.devices import choose_device
    from muybridge.flow.source import flow_of, stored_for
    from muybridge.metrics.comparison import compare, refuse_other
    from muybridge.metrics.runs import Run, read_run
    from muybridge.metrics.speed import timed
    from muybridge.tasks.recognition import evaluate

    before = read_run(against) if against else None
    loaded = open_checkpoint(source, model=model, labels=names)
    if flow_from is not None and loaded.clip.modality == "rgb":
        raise ValueError(f"{loaded.name} sees no optical flow; leave --flow-from out")
    tell(loaded)
    videos, split_number = where_from(data, videos, split_number, loaded.facts)
    runs_on = choose_device(device)
    source_of_flow = flow_of(
        loaded.clip,
        loaded.facts,
        where=flow_from or stored_for(loaded.facts, data),
        device=runs_on,
    )
    everything = as_trained(read_samples(data, videos, split_number), data, loaded.facts)
    if everything.layout:
        console.say(f"{data}: {everything.layout}")
    name, samples = select(everything, split, group or ())
    test_set = ClipDataset(
        samples,
        loaded.labels,
        loaded.clip,
        train=False,
        clips=clips,
        crops=crops,
        multi_label=everything.multi_label,
        flow=source_of_flow,
    )
    if before is not None:
        paths = [str(sample.path) for sample in samples]
        refuse_other(before, loaded.labels, paths, multi_label=everything.multi_label)
    network = loaded.model.to(runs_on)
    with console.progress(f"testing on {name}") as step, timed(network) as watch:
        measured = evaluate(network, test_set, progress=step)
    speed = watch.throughput()
    result = measured.to_dict() | facts_of(
        loaded, checkpoint, data, name, test_set.clips, test_set.crops, speed
    )
    run = Run.model_validate(result)
    compared = compare(before, run) if before is not None else None
    sides: list[str] = []
    if before is not None and against is not None and compared is not None:
        sides = run_names([before, run], [against, Path(checkpoint)])
        result["against"] = {"file": str(against), "model": before.model} | compared.to_dict()
    if out:
        write(out, measured, result)
        if compared is not None:
            draw_gains(out, compared, *sides)
    if json:
        console.out(json_module.dumps(result, ensure_ascii=False))
    elif markdown:
        console.out(markdown_table([run]))
    else:
        console.out(describe(measured, run, result))
        if compared is not None:
            console.out("\n" + describe_gains(compared, *sides))
    for path, reason in measured.broken.items():
        console.say(f"could not be read: {path}: {reason}")
    if measured.broken:
        raise typer.Exit(2)


def where_from(
    data: Path, videos: Path | None, split_number: int | None, facts: Mapping[str, Any]
) -> tuple[Path | None, int | None]:
    """The folder of videos and the split: as in training, if that was on the same data and nothing else is said."""
    if facts.get("data") != str(data.resolve()):
        return videos, split_number
    trained = facts.get("split_number")
    if split_number not in (None, trained or 1):
        console.say(f"note: trained on split {trained or 1}, so some of these videos may have been learnt")
    known = facts.get("footage")
    return videos or (Path(known) if known else None), split_number or trained


def as_trained(samples: Samples, data: Path, facts: Mapping[str, Any]) -> Samples:
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
