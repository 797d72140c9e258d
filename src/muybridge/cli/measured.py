"""What `muybridge test` says in a terminal and leaves in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muybridge.cli import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muybridge.metrics.comparison import Comparison
    from muybridge.metrics.multi_label import LabelRow, MultiLabelEvaluation
    from muybridge.metrics.recognition import ClassRow, Evaluation
    from muybridge.metrics.runs import Run
    from muybridge.metrics.speed import Throughput
    from muybridge.model_file import LoadedModel
    from muybridge.predict import Recognizer

MOST_ROWS = 30
"""Classes that are printed; the others are in the file of --json."""


def facts_of(
    model: LoadedModel | Recognizer,
    checkpoint: str,
    data: Path,
    split: str,
    clips: int,
    crops: int,
    speed: Throughput | None = None,
) -> dict[str, Any]:
    """What was measured, how, and at what cost."""
    from dataclasses import asdict

    from muybridge.models.cost import count_gflops, count_parameters

    start = model.facts.get("start", "")
    return {
        "model": model.name,
        "checkpoint": checkpoint,
        # Another project's file was trained by that project; of ours, a file says what its training began with.
        "start": model.origin if model.origin != "muybridge" else "scratch" if start is None else start,
        "data": str(data.resolve()),
        "split": split,
        "clip": model.clip.to_dict(),
        "clips": clips,
        "crops": crops,
        "gflops_per_view": count_gflops(model.model, model.clip),
        "parameters": count_parameters(model.model),
        "throughput": None if speed is None else asdict(speed),
    }


def describe(measured: Evaluation | MultiLabelEvaluation, run: Run, result: dict[str, Any]) -> str:
    """The answer for a terminal: the figures, a row per class, the cost."""
    from muybridge.metrics.recognition import Evaluation

    lines = [
        f"{run.split}: {run.videos} videos, {measured.views} views each ({run.clips} clips x {run.crops} crops)",
        *(_single(measured) if isinstance(measured, Evaluation) else _several(measured)),
        "",
        f"{run.model}: {run.parameters / 1e6:.2f} M parameters, {run.gflops_per_view:.3g} GFLOPs "
        f"(multiply-adds) per view, {run.gflops:,.4g} for {run.views} views",
    ]
    if (speed := result["throughput"]) is not None:
        from muybridge.metrics.speed import Throughput

        lines.append(f"network alone: {Throughput(**speed).describe()}")
    return "\n".join(lines)


def _single(measured: Evaluation) -> list[str]:
    low, high = measured.top1_interval
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
    lines = [
        f"top-1       {measured.top1:.1%} (95%: {low:.1%} to {high:.1%})",
        f"top-5       {measured.top5:.1%}"
        + (" (no more than 5 classes)" if len(measured.labels) <= 5 else ""),
        f"mean class  {measured.mean_class:.1%}",
        "",
        _class_table(rows, ("class", "videos", "recall", "precision", "mistaken for")),
    ]
    if len(measured.labels) <= 12:
        numbers = [str(i + 1) for i in range(len(measured.labels))]
        matrix = [
            (f"{number} {label}", *map(str, row))
            for number, label, row in zip(numbers, measured.labels, measured.confusion.tolist(), strict=True)
        ]
        lines += ["", "confusion (rows: truth, columns: answer)", console.table(matrix, head=("", *numbers))]
    return lines


def _several(measured: MultiLabelEvaluation) -> list[str]:
    lines = [f"mAP         {measured.mean_average_precision:.1%}"]
    if measured.left_out:
        names = ", ".join(measured.left_out[:3]) + (", ..." if len(measured.left_out) > 3 else "")
        known = len(measured.labels) - len(measured.left_out)
        lines[0] += f" (mean of {known} classes; no video shows {names})"
    if measured.unlabelled:
        lines.append(
            f"            {measured.map_of_labelled:.1%} without the {measured.unlabelled} videos that show no class, "
            "as Charades counts"
        )
    rows = [
        (row.label, str(row.videos), "-" if row.average_precision is None else f"{row.average_precision:.1%}")
        for row in measured.per_class
    ]
    return [*lines, "", _class_table(rows, ("class", "videos", "average precision"))]


def _class_table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...]) -> str:
    more = f"\n... and {len(rows) - MOST_ROWS} more classes" if len(rows) > MOST_ROWS else ""
    return console.table(rows[:MOST_ROWS], head=head) + more


def write(out: Path, measured: Evaluation | MultiLabelEvaluation, result: dict[str, Any]) -> None:
    """A folder with result.json and its pictures."""
    from muybridge import plots
    from muybridge.files import write_text
    from muybridge.metrics.recognition import Evaluation

    out.mkdir(parents=True, exist_ok=True)
    wrote = ["classes.png"]
    labels, rows = measured.labels, measured.per_class
    scores, score_name = [_score(row) for row in rows], "average precision"
    if isinstance(measured, Evaluation):
        plots.plot_confusion(measured.confusion, labels, out / "confusion.png")
        score_name = "accuracy"
        wrote.append("confusion.png")
    plots.plot_classes(
        labels, scores, [row.videos for row in rows], out / "classes.png", score_name=score_name
    )
    write_text(out / "result.json", json.dumps(result, indent=2) + "\n")
    console.say(f"wrote {', '.join(wrote)} and result.json into {out}")


def draw_gains(out: Path, compared: Comparison, before: str, after: str) -> None:
    """What each class gained over another run, as a picture."""
    from muybridge import plots

    plots.plot_gains(compared, out / "gains.png", before=before, after=after)
    console.say(f"wrote {out}/gains.png")


def _score(row: ClassRow | LabelRow) -> float | None:
    from muybridge.metrics.recognition import ClassRow

    return row.accuracy if isinstance(row, ClassRow) else row.average_precision
