"""Which class was taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from muybridge.ink import PALETTE, hex_colour, writable
from muybridge.plots._look import INK, MUTED, plain, save, write

_CELLS_WITH_TEXT = 30  # classes; beyond, counts in the cells are too small to read
_CELLS_TO_SEE = 120  # classes; beyond, a cell is two pixels wide
_LABELS_ON_AXIS = 40
_WORST = 8  # mistakes named in words
_MISTAKE = hex_colour(PALETTE[5])


def plot_confusion(
    matrix: npt.ArrayLike, labels: Sequence[str], path: Path, *, title: str = "Confusion matrix"
) -> Path:
    """Draw which class was taken for which; readable from 2 to several hundred classes.

    Colours are shares of the true class (each row adds up to 1), so rare classes are seen as well as
    frequent ones; the numbers in the cells are counts. A class without samples is a grey row. With many
    classes the numbers go, only every n-th label stays, and the most frequent mistakes are told in words; with
    hundreds, mistakes are dots larger than their cells.

    Args:
        matrix: Counts, int (k, k); `matrix[true, predicted]`.
        labels: The classes, in the order of the rows (`k`).
        path: The PNG file to write.
        title: Heading.

    Returns:
        `path`.

    Raises:
        ValueError: If the matrix is not square with one row per label.
    """
    counts = np.asarray(matrix)
    k = len(labels)
    if counts.shape != (k, k) or k == 0:
        raise ValueError(
            f"the confusion matrix is {counts.shape} for {k} labels; give one row and one column per label"
        )
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    many = k > _CELLS_WITH_TEXT
    side = 12.0 if many else max(4.2 + 0.24 * k, 5.0)
    figure = Figure(figsize=(side + 1.0, side + (0.8 if many else 0.0)), layout="constrained")
    axes = figure.add_subplot()
    # Among many classes a mistake is a pale cell; the root makes it visible.
    norm = PowerNorm(0.5 if many else 1.0, vmin=0, vmax=1)
    image = axes.imshow(np.ma.masked_invalid(shares), cmap=_blues(), norm=norm, interpolation="nearest")
    right, total = int(np.trace(counts)), int(counts.sum())
    recall = np.diagonal(shares)[totals[:, 0] > 0]
    axes.set_title(plain(title, 60), loc="left", fontsize=14, fontweight="bold", color=INK, pad=26)
    if total:
        summary = (
            f"{right} of {total} videos right ({right / total:.1%}), mean of classes {recall.mean():.1%}"
        )
        axes.text(0, 1.0, summary, transform=axes.transAxes, va="bottom", fontsize=10, color=MUTED).set_y(
            1.012
        )
    axes.set_xlabel("predicted", color=MUTED)
    axes.set_ylabel("true", color=MUTED)
    _label_axis(axes, labels)
    if many:
        _tell_mistakes(axes, counts, totals[:, 0], labels)
    else:
        size = 11 if k <= 8 else 9
        for (row, column), count in np.ndenumerate(counts):
            if count:
                ink = "white" if shares[row, column] > 0.55 else INK
                axes.text(column, row, f"{count}", ha="center", va="center", fontsize=size, color=ink)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02, format=PercentFormatter(1.0))
    bar.set_label("share of the true class", color=MUTED)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=MUTED, length=0)
    return save(figure, path)


def _tell_mistakes(
    axes: Axes, counts: npt.NDArray[Any], totals: npt.NDArray[Any], labels: Sequence[str]
) -> None:
    """Name the most frequent mistakes below the matrix; among hundreds of classes, mark all of them with dots."""
    wrong = counts - np.diag(np.diagonal(counts))
    rows, columns = np.nonzero(wrong)
    if not len(rows):
        return
    if len(labels) > _CELLS_TO_SEE:
        shares = wrong[rows, columns] / totals[rows]
        axes.scatter(columns, rows, s=1.5 + 60 * shares, color=_MISTAKE, linewidths=0, alpha=0.8)
        axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlabel("predicted (dots: mistakes, larger where they are a larger share)")
    worst = np.lexsort((totals[rows], -wrong[rows, columns]))[:_WORST]
    lines = [
        f"{plain(writable(labels[rows[i]], rows[i]), 34)} taken for "
        f"{plain(writable(labels[columns[i]], columns[i]), 34)}: "
        f"{wrong[rows[i], columns[i]]} of {totals[rows[i]]}"
        for i in worst
    ]
    axes.figure.text(
        0.02, -0.005, "Most frequent mistakes", va="top", fontsize=11, fontweight="bold", color=INK
    )
    half = -(-len(lines) // 2)
    for left, part in ((0.02, lines[:half]), (0.52, lines[half:])):
        text = axes.figure.text(
            left, -0.028, "\n".join(part), va="top", fontsize=10.5, color=INK, linespacing=1.5
        )
        write(text)


def _label_axis(axes: Axes, labels: Sequence[str]) -> None:
    step = -(-len(labels) // _LABELS_ON_AXIS)
    places = list(range(0, len(labels), step))
    names = [plain(writable(labels[place], place), 26) for place in places]
    size = 10 if len(labels) <= _CELLS_WITH_TEXT else 9
    level = len(labels) * max(map(len, names)) <= 48
    turn = 0 if level else 40 if len(labels) <= 14 else 90
    axes.set_xticks(places, labels=names, rotation=turn, fontsize=size)
    axes.set_yticks(places, labels=names, fontsize=size)
    axes.tick_params(colors=MUTED, length=0 if len(labels) <= _CELLS_WITH_TEXT else 2)
    axes.spines[:].set_visible(False)
    if turn == 40:
        for text in axes.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        write(text)
        text.set_color(INK)


def _blues() -> Any:
    from matplotlib import colormaps

    return colormaps["Blues"].with_extremes(bad="#eceef1")
