"""Accuracy against cost: which model to take for how much arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10, pi, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from muybridge.ink import PALETTE, hex_colour
from muybridge.plots._look import GRID, INK, MUTED, plain, save, style, write


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A model that was measured.

    Attributes:
        name: What stands beside it.
        gflops: Multiply-accumulates for a video, in billions: of one view times the number of views.
        score: 0..1.
        parameters: Learnable values.
        family: Points of one family share a colour, and are joined in the order of their cost.
    """

    name: str
    gflops: float
    score: float
    parameters: int
    family: str = ""


_AREA = 700.0
"""Of the largest mark, in square points."""

_PLACES = [
    (dx, dy, reach)
    for reach in (1.0, 2.2, 3.6, 5.2)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
]
"""Where a name may stand, the dearest place first: direction, and distance from the mark's edge in steps."""


def plot_tradeoff(
    points: Sequence[Point], path: Path, *, score_name: str = "top-1", title: str = "Accuracy against cost"
) -> Path:
    """Draw models by cost and score; the area of a mark is the number of parameters.

    Cost is on a logarithmic axis. Up and to the left is better.

    Args:
        points: The models.
        path: The PNG file to write.
        score_name: What a score is.
        title: Heading.

    Returns:
        `path`.

    Raises:
        ValueError: No points, or a cost that is not positive.
    """
    if not points:
        raise ValueError("nothing to draw; give at least one result.json")
    for point in points:
        if not point.gflops > 0:
            raise ValueError(
                f"{point.name} costs {point.gflops:g} GFLOPs; a logarithmic axis wants more than 0"
            )
    figure = Figure(figsize=(9.0, 5.6), layout="constrained")
    FigureCanvasAgg(figure)  # names are placed by their size in pixels
    axes = figure.add_subplot()
    style(axes, title)
    axes.grid(True, axis="x", color=GRID, linewidth=0.8)
    axes.set(xscale="log", xlabel="GFLOPs (multiply-adds) per video = per view x views", ylabel=score_name)
    _frame(axes, points)
    largest = max(point.parameters for point in points)
    areas = [max(_AREA * point.parameters / max(largest, 1), 12.0) for point in points]
    colours = _colours(points)
    for family in dict.fromkeys(point.family for point in points if point.family):
        line = sorted((p.gflops, p.score) for p in points if p.family == family)
        if len(line) > 1:
            axes.plot(*zip(*line, strict=True), color=colours[family], linewidth=1.4, alpha=0.55, zorder=2)
    for point, area in zip(points, areas, strict=True):
        axes.scatter(
            point.gflops,
            point.score,
            s=area,
            color=colours[point.family],
            alpha=0.75,
            linewidths=1.0,
            edgecolors="white",
            zorder=3,
        )
    _tell_sizes(axes, largest)
    figure.draw_without_rendering()
    _name(axes, points, areas, [_dark(colours[point.family]) for point in points])
    return save(figure, path)


def _colours(points: Sequence[Point]) -> dict[str, str]:
    families = dict.fromkeys(point.family for point in points)
    return {family: hex_colour(PALETTE[place % len(PALETTE)]) for place, family in enumerate(families)}


def _frame(axes: Axes, points: Sequence[Point]) -> None:
    """Limits with room for names; 1, 2 and 5 of every power of ten are written, if they are not too many."""
    low, high = min(p.gflops for p in points), max(p.gflops for p in points)
    room = max(0.16 * (log10(high) - log10(low)), 0.2)
    axes.set_xlim(10 ** (log10(low) - room), 10 ** (log10(high) + room * 1.3))
    worst, best = min(p.score for p in points), max(p.score for p in points)
    margin = max(0.2 * (best - worst), 0.02)
    axes.set_ylim(max(worst - margin, -0.02), min(best + margin, 1.05))
    decades = log10(high / low) + 2.3 * room
    few = (1, 2, 5) if decades < 2.6 else (1,)
    axes.xaxis.set_major_locator(LogLocator(10, subs=few if decades > 0.6 else (1, 2, 3, 4, 5, 6, 8)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))


def _tell_sizes(axes: Axes, largest: int) -> None:
    """A legend of two round numbers of parameters."""
    if largest <= 0:
        return
    top = _round(largest)
    marks = [
        Line2D(
            [],
            [],
            linestyle="",
            marker="o",
            markersize=2 * sqrt(max(_AREA * count / largest, 12.0) / pi),
            color="#b9c0c9",
            markeredgewidth=0,
            label=_millions(count),
        )
        for count in (top / 10, top)
    ]
    legend = axes.legend(
        handles=marks,
        title="parameters",
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
        labelcolor=MUTED,
        fontsize=9,
        labelspacing=1.4,
        handletextpad=1.0,
        borderpad=0.8,
    )
    legend.get_title().set(color=MUTED, fontsize=9)


def _round(count: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that is no larger."""
    power = 10.0 ** floor(log10(count))
    return max(step * power for step in (1, 2, 5) if step * power <= count)


def _millions(count: float) -> str:
    return f"{count / 1e6:g} M" if count >= 1e5 else f"{ceil(count / 1e3)} k"


def _dark(colour: str) -> str:
    """The same hue, dark enough to read."""
    red, green, blue = to_rgb(colour)
    return to_hex((0.62 * red, 0.62 * green, 0.62 * blue))


def _name(
    axes: Axes,
    points: Sequence[Point],
    areas: Sequence[float],
    inks: Sequence[str],
) -> None:
    """Write each name where it covers no mark and no other name, with a thin line if that is far from its mark."""
    pixels = axes.figure.dpi / 72
    centres = axes.transData.transform([(point.gflops, point.score) for point in points])
    radii = [sqrt(area / pi) * pixels for area in areas]
    taken = [[x - r, y - r, x + r, y + r] for (x, y), r in zip(centres, radii, strict=True)]
    # Names may cross a family's line, but rather don't: beads along it count as marks.
    for line in axes.lines:
        ends = axes.transData.transform(line.get_xydata())
        beads = [one + (two - one) * part / 12 for one, two in pairwise(ends) for part in range(13)]
        taken += [[x - 2, y - 2, x + 2, y + 2] for x, y in beads]
    ground = axes.get_window_extent()
    for point, (x, y), radius, ink in zip(points, centres, radii, inks, strict=True):
        text = axes.text(0, 0, plain(point.name, 34), fontsize=9, color=INK, zorder=4, transform=None)
        write(text)
        size = text.get_window_extent()
        box, far = _free_place(x, y, radius, size.width, size.height, 4 * pixels, np.array(taken), ground)
        taken.append([box.x0, box.y0, box.x1, box.y1])
        text.remove()
        axes.annotate(
            plain(point.name, 34),
            (point.gflops, point.score),
            ((box.x0 - x) / pixels, (box.y0 - y) / pixels),
            textcoords="offset points",
            color=ink,
            zorder=4,
            va="bottom",
            ha="left",
            parse_math=False,
            fontproperties=text.get_fontproperties(),
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6} if far else None,
        )


def _free_place(
    x: float,
    y: float,
    radius: float,
    width: float,
    height: float,
    step: float,
    taken: npt.NDArray[np.float64],
    ground: Bbox,
) -> tuple[Bbox, bool]:
    """The first place for a name that overlaps nothing; else the one that overlaps least. And whether it is far."""

    def candidates() -> Iterator[tuple[Bbox, bool]]:
        for dx, dy, reach in _PLACES:
            gap = radius * (0.75 if dx and dy else 1.0) + step * reach**1.5
            left = x + dx * gap - (width if dx < 0 else 0 if dx > 0 else width / 2)
            below = y + dy * gap - (height if dy < 0 else 0 if dy > 0 else height / 2)
            yield Bbox.from_bounds(left, below, width, height), reach > 1

    def cost(box: Bbox) -> float:
        wide = np.minimum(taken[:, 2], box.x1) - np.maximum(taken[:, 0], box.x0)
        high = np.minimum(taken[:, 3], box.y1) - np.maximum(taken[:, 1], box.y0)
        covered = float((wide.clip(min=0) * high.clip(min=0)).sum())
        return covered + (0.0 if _inside(box, ground) else width * height)

    return min(candidates(), key=lambda place: cost(place[0]))


def _inside(box: Bbox, ground: Bbox) -> bool:
    return bool(ground.x0 <= box.x0 and box.x1 <= ground.x1 and ground.y0 <= box.y0 and box.y1 <= ground.y1)
