"""`muybridge test` of two streams: how good each is, and how good both are together."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from muybridge.cli import console
from muybridge.cli.compare import markdown_table
from muybridge.cli.measured import draw_gains, facts_of, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muybridge.data.samples import Sample
    from muybridge.predict import TwoStreams
    from muybridge.predict.two_streams import Measured


def measure_both(
    data: Path,
    sources: tuple[str, str],
    model: TwoStreams,
    *,
    videos: Path | None,
    split_number: int | None,
    split: str | None,
    groups: Sequence[str],
    clips: int | None,
    crops: int | None,
    out: Path | None,
    markdown: bool,
    json: bool,
) -> None:
    """Measure two streams on a data set, alone and together, and tell it; with `out` in a folder for each."""
    chosen = [
        _chosen(data, stream.facts, videos, split_number, split, groups) for stream in (model.rgb, model.flow)
    ]
    (name, samples, several), (_, others, _) = chosen
    if set(samples) != set(others):
        console.say(
            "note: the two were trained on other parts of the data; one may have learnt some of these videos"
        )
    with console.progress(f"testing on {name}") as step:
        measured = model.measure(samples, multi_label=several, clips=clips, crops=crops, progress=step)
    names = (model.rgb.name, model.flow.name, "both")
    how = {"average": model.average, "weights": list(model.weights)}
    found = _results(model, sources, measured, data, name, clips, crops)
    if out:
        _write(out, found, measured)
    if json:
        facts = {"model": model.name, "data": str(data.resolve()), "split": name}
        console.out(json_module.dumps(facts | how | found, ensure_ascii=False))
    elif markdown:
        from muybridge.metrics.runs import Run

        console.out(markdown_table([Run.model_validate(result) for result in found.values()]))
    else:
        console.out(f"{name}: {len(measured[0].targets)} videos, {model.average} {ratio_of(model)}")
        rows = [_row(key, found) for key, found in zip(names, measured, strict=True)]
        console.out(console.table(rows, head=("", "mAP" if several else "top-1", "", "views")))
    broken = measured[0].broken
    for path, reason in broken.items():
        console.say(f"could not be read: {path}: {reason}")
    if broken:
        raise typer.Exit(2)


def _results(
    model: TwoStreams,
    sources: tuple[str, str],
    measured: Sequence[Measured],
    data: Path,
    split: str,
    clips: int | None,
    crops: int | None,
) -> dict[str, dict[str, Any]]:
    """What `test` of one model leaves, for each stream and for both."""
    alone = [
        facts_of(
            stream, source, data, split, clips or stream.clip.test_clips, crops or stream.clip.test_crops
        )
        for stream, source in zip((model.rgb, model.flow), sources, strict=True)
    ]
    views = [facts["clips"] * facts["crops"] for facts in alone]
    gflops = sum(facts["gflops_per_view"] * count for facts, count in zip(alone, views, strict=True))
    both = alone[0] | {
        "model": model.name,
        "checkpoint": " + ".join(sources),
        "start": " + ".join(dict.fromkeys(facts["start"] for facts in alone)),
        # A view of one stream costs what it does, one of the other too: their mean, as often as there are views.
        "clips": sum(views),
        "crops": 1,
        "gflops_per_view": gflops / sum(views),
        "parameters": sum(facts["parameters"] for facts in alone),
    }
    return {
        key: part.to_dict() | facts
        for key, part, facts in zip(("rgb", "flow", "both"), measured, (*alone, both), strict=True)
    }


def _write(out: Path, found: dict[str, dict[str, Any]], measured: Sequence[Measured]) -> None:
    """A folder for each stream and for both, and what each class gains from the second."""
    from muybridge.metrics.comparison import compare
    from muybridge.metrics.runs import Run

    for (key, result), part in zip(found.items(), measured, strict=True):
        write(out / key, part, result)
    gained = compare(Run.model_validate(found["rgb"]), Run.model_validate(found["both"]))
    draw_gains(out, gained, "RGB alone", "RGB and flow")


def ratio_of(model: TwoStreams) -> str:
    """The weights as they are typed."""
    return f"{model.weights[0]:g}:{model.weights[1]:g}"


def _chosen(
    data: Path,
    facts: Any,
    videos: Path | None,
    split_number: int | None,
    split: str | None,
    groups: Sequence[str],
) -> tuple[str, tuple[Sample, ...], bool]:
    from muybridge.cli.evaluate import as_trained, where_from
    from muybridge.data.layouts import read_samples
    from muybridge.data.samples import select

    videos, split_number = where_from(data, videos, split_number, facts)
    everything = as_trained(read_samples(data, videos, split_number), data, facts)
    return *select(everything, split, groups), everything.multi_label


def _row(name: str, measured: Measured) -> tuple[str, ...]:
    from muybridge.metrics.recognition import Evaluation

    if isinstance(measured, Evaluation):
        low, high = measured.top1_interval
        return name, f"{measured.top1:.1%}", f"95%: {low:.1%} to {high:.1%}", str(measured.views)
    return name, f"{measured.mean_average_precision:.1%}", "", str(measured.views)
