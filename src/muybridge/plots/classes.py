"""One bar per class: how well each is recognized, and what it gained over another run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from muybridge.ink import PALETTE, hex_colour, writable
from muybridge.plots._look import GRID, INK, MUTED, plain, save, write

if TYPE_CHECKING:
    from muybridge.metrics.comparison import Comparison

MOST_BARS = 80
"""Classes in one picture; of more, both ends are shown."""

Row = TypeVar("Row")

_UP, _DOWN, _BAR = hex_colour(PALETTE[0]), hex_colour(PALETTE[5]), hex_colour(PALETTE[4])


def plot_classes(
    labels: Sequence[str],
    scores: Sequence[float | None],
    videos: Sequence[int],
    path: Path,
    *,
    score_name: str = "accuracy",
    title: str = "Per class",
) -> Path:
    """Draw a bar per class, best first, with the mean as a line.

    Args:
        labels: Class names (`k`).
        scores: Accuracy or average precision of each (0..1); None for a class without videos, which is left out.
        videos: Videos of each class.
        path: The PNG file to write.
        score_name: What a score is.
        title: Heading.

    Returns:
        `path`.

    Raises:
        ValueError: No class has a score, or not one score and one count per label.
    """
    if not len(labels) == len(scores) == len(videos):
        raise ValueError(
            f"{len(scores)} scores and {len(videos)} counts for {len(labels)} labels; give one of each per label"
        )
    known = [
        (score, label, count, place)
        for place, (label, score, count) in enumerate(zip(labels, scores, videos, strict=True))
        if score is not None
    ]
    if not known:
        raise ValueError("no class has a score; there is nothing to draw")
    mean = sum(row[0] for row in known) / len(known)
    rows, cut = _both_ends(sorted(known, key=lambda row: (-row[0], row[3])))
    summary = f"{score_name} of {len(known)} classes, mean {mean:.1%}" + cut
    missing = len(labels) - len(known)
    summary += f"; {missing} without videos left out" if missing else ""
    names = [plain(writable(label, place), 30) for _, label, _, place in rows]
    figure, axes = _sheet(names, title, summary)
    axes.barh(range(len(rows)), [row[0] for row in rows], color=_BAR, height=0.72)
    axes.axvline(mean, color=INK, linewidth=1.2, zorder=1.5)
    for place, (score, _, count, _) in enumerate(rows):
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # the line of the mean ends at words
        axes.text(
            score + 0.01, place, f"{score:.0%} of {count}", va="center", fontsize=8, color=MUTED, bbox=ground
        )
    axes.set_xlim(0, 1.13)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    return save(figure, path)


def plot_gains(compared: Comparison, path: Path, *, before: str, after: str, title: str = "") -> Path:
    """Draw what each class gained or lost against another run, most gained first.

    As the per-category figure of SlowFast (Feichtenhofer et al. 2019, https://arxiv.org/abs/1812.03982) does, but
    lying down, so that names stay readable. A bar is the difference; beside it stand both figures.

    Args:
        compared: Two runs on the same videos.
        path: The PNG file to write.
        before: Name of the first run.
        after: Name of the second.
        title: Heading; default the two names.

    Returns:
        `path`.

    Raises:
        ValueError: No class was measured in both.
    """
    known = [(row.gain, row, place) for place, row in enumerate(compared.per_class) if row.gain is not None]
    if not known:
        raise ValueError("no class was measured in both runs; there is nothing to draw")
    rows, cut = _both_ends(sorted(known, key=lambda row: (-row[0], row[2])))
    up, down = sum(row[0] > 0 for row in known), sum(row[0] < 0 for row in known)
    low, high = (100 * bound for bound in compared.interval)
    summary = (
        f"{compared.score_name} {compared.before:.1%} → {compared.after:.1%} "
        f"({100 * (compared.after - compared.before):+.1f} points, 95%: {low:+.1f} to {high:+.1f}), "
        f"{compared.videos} videos\n{up} classes better, {down} worse, {len(known) - up - down} the same{cut}"
    )
    names = [plain(writable(row.label, place), 30) for _, row, place in rows]
    figure, axes = _sheet(names, title or f"{after} against {before}", summary)
    gains = [100 * row[0] for row in rows]
    axes.barh(range(len(rows)), gains, color=[_UP if gain > 0 else _DOWN for gain in gains], height=0.72)
    axes.axvline(0, color=INK, linewidth=1)
    span = max(max(map(abs, gains)), 1.0)
    for place, (gain, row, _) in enumerate(rows):
        side = "right" if gain < 0 else "left"
        text = f"{row.before:.0%} → {row.after:.0%}"
        axes.text(
            100 * gain + (-0.02 if gain < 0 else 0.02) * span,
            place,
            text,
            ha=side,
            va="center",
            fontsize=8,
            color=MUTED,
        )
    room = 0.42 * span  # for the figures beside the longest bars
    axes.set_xlim(min(*gains, 0) - room * (min(gains) < 0) - 0.03 * span, max(*gains, 0) + room)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if value else "0"))
    axes.set_xlabel("gain in points of " + ("average precision" if compared.p_value is None else "accuracy"))
    return save(figure, path)


def _both_ends(rows: list[Row]) -> tuple[list[Row], str]:
    """No more rows than can be read, and what was done to them."""
    if len(rows) <= MOST_BARS:
        return rows, ""
    half = MOST_BARS // 2
    return rows[:half] + rows[-half:], f"; shown: the first and last {half}"


def _sheet(names: Sequence[str], title: str, summary: str) -> tuple[Figure, Axes]:
    """An empty bar chart lying down, a row per name, the first on top."""
    lines = summary.count("\n") + 1
    figure = Figure(figsize=(8.2, 1.35 + 0.19 * lines + 0.205 * max(len(names), 4)), layout="constrained")
    axes = figure.add_subplot()
    heading = axes.set_title(
        plain(title, 70), loc="left", fontsize=13, fontweight="bold", color=INK, pad=10 + 13 * lines
    )
    write(heading)
    write(
        axes.annotate(
            summary,
            (0, 1),
            (0, 7),
            xycoords="axes fraction",
            textcoords="offset points",
            va="bottom",
            fontsize=9.5,
            color=MUTED,
            linespacing=1.25,
        )
    )
    axes.set_yticks(range(len(names)), labels=names, fontsize=9)
    for text in axes.get_yticklabels():
        write(text)
        text.set_color(INK)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", colors=MUTED, length=0, labelsize=9)
    axes.xaxis.label.set_color(MUTED)
    axes.grid(True, axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes
