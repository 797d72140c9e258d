"""docs/tables.md from the runs of tables.py: figures, their spread over seeds, and what held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from rows import TARGET, TRAIN_VIDEOS, Claim, Row

Runs = Mapping[str, Sequence[Mapping[str, Any]]]

TITLES = {
    "fusion": (
        "How far apart should frames meet?",
        "Karpathy et al. 2014, Large-scale Video Classification with Convolutional Neural Networks, table 1: one "
        "AlexNet, four ways to give it time.",
        "These films last 2 to 3 seconds, and their first and last frames tell who sat down and who stood up: two "
        "frames 2 s apart beat ten. The paper's late fusion sees half a second of sports, whose two ends look alike; "
        "there it gains nothing.",
    ),
    "i3d": (
        "Five architectures",
        "Carreira and Zisserman 2017, Quo Vadis, Action Recognition?, table 2. All networks but C3D are wired as "
        "Inception-v1. Flow is TV-L1, stored before; its own cost is not in the GFLOPs. RGB + flow is the mean of both "
        "networks' probabilities. The last row is no network: improved dense trajectories, Fisher vectors and linear "
        "support vector machines (Wang and Schmid 2013), what there was before.",
        "Of single networks the order is that of how fast they learn, not of what they can learn. From fresh weights, "
        "after some 7,500 clips, nine Inception blocks in a row are far from done (twice as many clips and stronger "
        "augmentation gave I3D 66% with one seed); C3D, eight plain convolutions with five times the parameters and "
        "more than twice the work, nearly is. The paper's networks, all but C3D, began with ImageNet, and saw 240,000 "
        "clips many times over. The ConvNet that averages its frames can't see their order, and stays within a few "
        "points of chance. Flow is worth more here than in the paper: motion is what is asked for, and it leaves the "
        "rooms out, which a network that sees 840 films learns by heart; both streams together beat either. Where "
        "there is this little to learn from, nothing beats descriptors that need not be learnt: trajectories, "
        "which see every frame at full size, at 0.6 s of one core per film with Farnebäck's flow, lead the table; on "
        "UCF101 they kept up with the first networks. (Both networks of two-stream I3D take 0.04 s, their "
        "TV-L1 1.1 s.)",
    ),
    "transfer": (
        "Transfer",
        "Carreira and Zisserman 2017, tables 4 and 5: I3D learns the 13 other actions first, then these 14.",
        "As in the paper, to learn other actions first helps if all layers go on learning. Features of actions that "
        "can be told by their poses do little for pairs that can't: with the last layer alone, 59 of 100 are told "
        "apart.",
    ),
    "slowfast": (
        "SlowFast, piece by piece",
        "Feichtenhofer et al. 2019, SlowFast Networks for Video Recognition, table 5: the lateral connection, the "
        "width of the Fast pathway (beta), and what it sees.",
        "The second pathway and its time-strided convolution earn their place; how wide it is matters little, as in "
        "the paper, and neither colour nor resolution is missed. Time differences cost the paper a point and are "
        "worth twelve here: of a few hundred films a network learns the rooms by heart, and differences leave the "
        "rooms out.",
    ),
}
SCRATCH = "i3d"
"""The row of training from scratch that the table of transfer repeats."""


def page(rows: Sequence[Row], runs: Runs, claims: Sequence[Claim]) -> str:
    """The whole page; rows without runs are left out."""
    lines = [*_head(runs)]
    for table, (title, text, reading) in TITLES.items():
        shown = [row for row in rows if row.table == table and row.text and row.key in runs]
        if not shown:
            continue
        lines += ["", f"## {title}", "", text, ""]
        lines += [
            "| | top-1 % | pairs told apart % | params M | GFLOPs | runs |",
            "|---|---|---|---:|---:|---:|",
        ]
        if table == "transfer" and SCRATCH in runs:
            lines.append(_line("from scratch", runs[SCRATCH]))
        lines += [_line(row.text, runs[row.key]) for row in shown]
        lines += ["", *_verdicts([claim for claim in claims if claim.table == table], runs)]
        lines += ["", f"{reading} (Read in November 2026, from three seeds on two CPU cores.)"]
    return "\n".join([*lines, ""])


def _head(runs: Runs) -> Iterator[str]:
    every = [run for found in runs.values() for run in found]
    seeds = max((len(found) for found in runs.values()), default=0)
    hours = sum(run["seconds"] * run["threads"] for run in every) / 3600
    videos = max((run["videos"] for run in every), default=0)
    yield "# The papers' tables in miniature"
    yield ""
    epochs = every[0]["epochs"] if every else 0
    yield (
        "Made by `make tables`; change `making/rows.py` instead. Every row is a narrow version of a paper's network, "
        f"trained from fresh weights on the same {len(TARGET) * TRAIN_VIDEOS} films of {len(TARGET)} actions for "
        f"{epochs} epochs, and measured on {videos} films of other people in other rooms, one view each. Figures are "
        f"means over {seeds} seeds, with the lowest and the highest in brackets; {videos} films tell differences of "
        "about 5 points apart, no less. Rates of learning were chosen on the same films, with one seed and few trials."
    )
    yield ""
    yield (
        "**Pairs told apart**: ten actions come in pairs that a single frame can't tell: to sit down and to stand up, "
        "to pick up and to put down, to open and to close a door, to fall and to get up are each other backwards, and "
        "half of those who walk left or right walk backwards. This is the share of their films whose own action scores "
        "above its twin. Chance is 50."
    )
    yield ""
    yield f"All of it took {hours:.1f} hours of one CPU core (or GPU). GFLOPs are multiply-accumulates of one view."


def _line(text: str, found: Sequence[Mapping[str, Any]]) -> str:
    if "seconds_per_video" in found[0]:
        text += f"; {mean(run['seconds_per_video'] for run in found):.1f} s of one core per film"
    gflops = found[0]["gflops"]
    cells = [
        text,
        _spread([run["top1"] for run in found]),
        _spread([run["pairs"] for run in found if run["pairs"] is not None]),
        f"{found[0]['parameters'] / 1e6:.2f}",
        "" if gflops is None else f"{gflops:.3f}",
        str(len(found)),
    ]
    return f"| {' | '.join(cells)} |"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    if len(values) == 1:
        return f"{100 * values[0]:.1f}"
    return f"{100 * mean(values):.1f} ({100 * min(values):.1f} to {100 * max(values):.1f})"


def _verdicts(claims: Sequence[Claim], runs: Runs) -> Iterator[str]:
    for claim in claims:
        if claim.above not in runs or claim.below not in runs:
            continue
        above = [run[claim.measure] for run in runs[claim.above]]
        below = [run[claim.measure] for run in runs[claim.below]]
        gain = 100 * (mean(above) - mean(below))
        if min(above) > max(below):
            verdict = f"**held**: {gain:+.1f} points, every seed above every other"
        elif max(above) < min(below):
            verdict = f"**did not hold**: {gain:+.1f} points, every seed below every other"
        else:
            verdict = f"**not decided**: {gain:+.1f} points, within the spread of the seeds"
        yield f"- {claim.text}: {verdict}."
