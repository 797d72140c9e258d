"""`muybridge compare`: runs side by side, from the `result.json` of each."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muybridge.cli import console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from muybridge.metrics.comparison import Comparison
    from muybridge.metrics.runs import Run

MOST_GAINS = 30
"""Classes that are printed; the others are in the picture and the JSON."""


def compare(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULT.json...",
            help="What `muybridge test --out FOLDER` wrote, or the folders; the first is what others are "
            "compared with.",
        ),
    ],
    save: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw accuracy against cost, a mark per run.")
    ] = None,
    gains: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Of two runs: draw what each class gained."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="A table for a model card, a row per run.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Put runs side by side: score, cost, and whether they differ on the videos that they share."""
    if json and markdown:
        raise typer.BadParameter("--json and --markdown are two ways to answer; choose one")
    if gains and len(results) != 2:
        raise typer.BadParameter(f"--gains compares two runs, and {len(results)} are given")
    from muybridge.files import check_target
    from muybridge.metrics.comparison import compare as compare_runs
    from muybridge.metrics.runs import read_run

    for target in (save, gains):
        if target:
            check_target(target)
    runs = [read_run(path) for path in results]
    kinds = {run.score_name for run in runs}
    if len(kinds) > 1:
        raise ValueError("some runs have several labels per video (mAP), some one (top-1); compare one kind")
    names = run_names(runs, results)
    # Costs can be set side by side whatever was measured; scores of other data can't.
    compared = [compare_runs(runs[0], run) for run in runs[1:]]
    if save:
        _draw(runs, names, save)
    if gains:
        from muybridge import plots

        plots.plot_gains(compared[0], gains, before=names[0], after=names[1])
        console.say(f"wrote {gains}")
    if json:
        console.out(json_module.dumps(_plain(runs, names, compared), ensure_ascii=False))
    elif markdown:
        console.out(markdown_table(runs))
    else:
        console.out(_describe(runs, names, compared))
        if len(runs) == 2:
            console.out("\n" + describe_gains(compared[0], *names))


def describe_gains(compared: Comparison, before: str, after: str) -> str:
    """Two runs in words: the difference, how sure it is, and a row per class, most gained first."""
    low, high = (100 * bound for bound in compared.interval)
    lines = [
        f"{after} against {before}, on {compared.videos} videos that both measured"
        + (" (the data lay elsewhere; matched by their paths below it)" if compared.moved else ""),
        f"{compared.score_name}  {compared.before:.1%} -> {compared.after:.1%}  "
        f"({100 * (compared.after - compared.before):+.1f} points, 95%: {low:+.1f} to {high:+.1f})",
    ]
    if compared.p_value is not None:
        lines.append(
            f"right in one only: {compared.only_before} in {before}, {compared.only_after} in {after} "
            f"(McNemar's exact test: p = {compared.p_value:.2g})"
        )
    known = [(row.gain, row) for row in compared.per_class if row.gain is not None]
    rows = [
        (row.label, str(row.videos), f"{row.before:.1%}", f"{row.after:.1%}", f"{100 * gain:+.1f}")
        for gain, row in sorted(known, key=lambda pair: -pair[0])
    ]
    more = f"\n... {len(rows) - MOST_GAINS} between them not printed" if len(rows) > MOST_GAINS else ""
    if more:
        rows = rows[: MOST_GAINS // 2] + rows[-(MOST_GAINS // 2) :]
    return "\n".join(lines) + "\n\n" + console.table(rows, head=_GAINS_HEAD) + more


_GAINS_HEAD = ("class", "videos", "before", "after", "gain")


def markdown_table(runs: Sequence[Run]) -> str:
    """Rows that can be pasted into a model card, with their head."""
    several = any(run.multi_label for run in runs)
    head = ["model", "pretrain", "clip", "size", "views", *(["mAP"] if several else ["top-1 (95%)", "top-5"])]
    head += ["GFLOPs x views", "params M", "data", "videos"]
    lines = [head, ["---"] * len(head)]
    lines += [[cell.replace("|", "\\|") for cell in _cells(run)] for run in runs]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cells(run: Run) -> list[str]:
    from muybridge.metrics.significance import wilson

    if run.multi_label:
        scores = [f"{100 * run.score:.1f}"]
    else:
        low, high = wilson(round(run.score * run.videos), run.videos)
        top5 = "" if run.top5 is None else f"{100 * run.top5:.1f}"
        scores = [f"{100 * run.score:.1f} ({100 * low:.1f} to {100 * high:.1f})", top5]
    return [
        run.model,
        run.start or "?",
        run.clip.describe(),
        str(run.clip.size),
        f"{run.clips}x{run.crops}",
        *scores,
        f"{run.gflops_per_view:.3g} x {run.views}",
        f"{run.parameters / 1e6:.3g}",
        f"{Path(run.data).name} {run.split}",
        str(run.videos),
    ]


def run_names(runs: Sequence[Run], sources: Sequence[Path]) -> list[str]:
    """The models' names; where one appears twice, those of the files or folders, which a person has chosen."""
    models = [run.model for run in runs]
    if len(set(models)) == len(models):
        return models
    names = [
        path.stem
        if path.suffix and path.stem not in ("result", "model")
        else (path.parent if path.suffix else path).resolve().name
        for path in sources
    ]
    if len(set(names)) == len(names):
        return names
    return [f"{name} ({place})" for place, name in enumerate(names, start=1)]


def _draw(runs: Sequence[Run], names: Sequence[str], save: Path) -> None:
    from muybridge import plots
    from muybridge.models import list_models, model_info

    known = set(list_models())
    points = [
        plots.Point(
            name=f"{name}, {run.clips}x{run.crops}" if len({r.views for r in runs}) > 1 else name,
            gflops=run.gflops,
            score=run.score,
            parameters=run.parameters,
            family=model_info(run.model).family if run.model in known else run.model,
        )
        for run, name in zip(runs, names, strict=True)
    ]
    plots.plot_tradeoff(points, save, score_name=runs[0].score_name)
    console.say(f"wrote {save}")


def _describe(runs: Sequence[Run], names: Sequence[str], compared: Sequence[Comparison]) -> str:
    gains = [None, *compared]
    rows = []
    for run, name, gain in zip(runs, names, gains, strict=True):
        cells = [name, f"{run.score:.1%}"]
        if gain is None:
            cells += ["", ""]
        else:
            low, high = (100 * bound for bound in gain.interval)
            cells += [f"{100 * (gain.after - gain.before):+.1f}", f"{low:+.1f} to {high:+.1f}"]
        cells += [
            f"{run.clips}x{run.crops}",
            f"{run.gflops:,.4g}",
            f"{run.parameters / 1e6:.2f}",
            str(run.videos),
        ]
        rows.append(cells)
    head = ["run", runs[0].score_name, "gain", "95%", "views", "GFLOPs", "params M", "videos"]
    return console.table(rows, head=head)


def _plain(runs: Sequence[Run], names: Sequence[str], compared: Sequence[Comparison]) -> dict[str, Any]:
    listed = [
        {"name": name, "views": run.views, "gflops": run.gflops}
        | run.model_dump(mode="json", exclude={"answers"})
        for run, name in zip(runs, names, strict=True)
    ]
    return {"runs": listed, "against_first": [one.to_dict() for one in compared]}
