"""Pictures of numbers: training curves, confusion matrices, scores over time, as PNG files.

Figures are built without pyplot, so no backend is chosen, no global state is touched and any thread may draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator, PercentFormatter

from muybridge.files import appearing
from muybridge.ink import (
    PALETTE,
    clock,
    font_file,
    hex_colour,
    label_colours,
    leading_labels,
    ranked,
    stretches,
    time_ticks,
    writable,
)
from muybridge.types import Window

History = Mapping[str, Sequence[float]] | Sequence[Mapping[str, float]]

_DPI = 150
_INK, _MUTED, _GRID = "#1d2129", "#5b6470", "#e3e6ea"
_TRAIN, _VALIDATION = hex_colour(PALETTE[0]), hex_colour(PALETTE[5])
_CELLS_WITH_TEXT = 24  # classes; beyond, counts in the cells are too small to read
_LABELS_ON_AXIS = 60


def plot_training(
    history: History, path: Path, *, best_epoch: int | None = None, title: str = "Training"
) -> Path:
    """Draw loss, top-1 accuracy and learning rate over the epochs.

    Args:
        history: Either one list per column or one mapping per epoch, with `epoch`, `train_loss`, `val_loss`,
            `val_top1` (0..1), optionally `train_top1` (0..1) and `lr`. Missing columns and values (None, NaN)
            are left out; without `epoch` the rows are counted from 1.
        path: The PNG file to write.
        best_epoch: The epoch whose weights were kept, to be marked; None marks the first of the highest `val_top1`.
        title: Heading.

    Returns:
        `path`.

    Raises:
        ValueError: If there is no epoch to draw.
    """
    columns = _columns(history)
    epochs = columns.pop("epoch")
    with_rate = np.isfinite(columns.get("lr", np.array([math.nan]))).any()
    figure = Figure(figsize=(9.6, 5.2 if with_rate else 4.2), layout="constrained")
    figure.suptitle(_plain(title, 90), x=0.01, ha="left", fontsize=14, fontweight="bold", color=_INK)
    rows: list[Any] = [["loss", "top1"], ["lr", "lr"]] if with_rate else [["loss", "top1"]]
    axes = figure.subplot_mosaic(rows, height_ratios=[4, 1.3] if with_rate else [1])
    for name, colour, kind in (("train", _TRAIN, "training"), ("val", _VALIDATION, "validation")):
        for key in ("loss", "top1"):
            values = columns.get(f"{name}_{key}")
            if values is not None and np.isfinite(values).any():
                _curve(axes[key], epochs, values, colour, kind)
    for key, heading, unit in (("loss", "Loss", "cross-entropy"), ("top1", "Top-1 accuracy", "videos right")):
        _style(axes[key], heading)
        axes[key].set(ylabel=unit, xlabel="epoch", xlim=(epochs.min() - 0.5, epochs.max() + 0.5))
        axes[key].set_ylim(0, axes[key].dataLim.y1 * 1.08 if axes[key].lines else 1)
        if axes[key].lines:
            axes[key].legend(frameon=False, fontsize=9, labelcolor=_INK)
    axes["top1"].set_ylim(0, 1.02)
    axes["top1"].yaxis.set_major_formatter(PercentFormatter(1.0))
    _mark_best(axes["top1"], epochs, columns.get("val_top1"), best_epoch)
    if with_rate:
        _style(axes["lr"], "Learning rate")
        axes["lr"].set(xlabel="epoch", xlim=(epochs.min() - 0.5, epochs.max() + 0.5))
        axes["lr"].plot(epochs, columns["lr"], color=_MUTED, linewidth=1.6, marker=_marker(epochs))
        axes["lr"].set_ylim(0, float(np.nanmax(columns["lr"])) * 1.15 or 1.0)
    return _save(figure, path)


def plot_confusion(
    matrix: npt.ArrayLike, labels: Sequence[str], path: Path, *, title: str = "Confusion matrix"
) -> Path:
    """Draw which class was taken for which; readable from 2 to several hundred classes.

    Colours are shares of the true class (each row adds up to 1), so rare classes are seen as well as
    frequent ones; the numbers in the cells are counts. A class without samples is a grey row. With many
    classes the numbers go, and only every n-th label stays.

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
    side = min(max(4.2 + 0.34 * k, 5.0), 13.0)
    figure = Figure(figsize=(side + 1.0, side), layout="constrained")
    axes = figure.add_subplot()
    # Among hundreds of classes a mistake is a pale dot; the root makes it visible.
    norm = PowerNorm(1.0 if k <= _CELLS_WITH_TEXT else 0.5, vmin=0, vmax=1)
    image = axes.imshow(np.ma.masked_invalid(shares), cmap=_blues(), norm=norm, interpolation="nearest")
    right, total = int(np.trace(counts)), int(counts.sum())
    recall = np.diagonal(shares)[totals[:, 0] > 0]
    axes.set_title(_plain(title, 60), loc="left", fontsize=14, fontweight="bold", color=_INK, pad=26)
    if total:
        summary = (
            f"{right} of {total} videos right ({right / total:.1%}), mean of classes {recall.mean():.1%}"
        )
        axes.text(0, 1.0, summary, transform=axes.transAxes, va="bottom", fontsize=10, color=_MUTED).set_y(
            1.012
        )
    axes.set_xlabel("predicted", color=_MUTED)
    axes.set_ylabel("true", color=_MUTED)
    _label_axis(axes, labels)
    if k <= _CELLS_WITH_TEXT:
        size = 11 if k <= 8 else 9
        for (row, column), count in np.ndenumerate(counts):
            if count:
                ink = "white" if shares[row, column] > 0.55 else _INK
                axes.text(column, row, f"{count}", ha="center", va="center", fontsize=size, color=ink)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02, format=PercentFormatter(1.0))
    bar.set_label("share of the true class", color=_MUTED)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=_MUTED, length=0)
    return _save(figure, path)


def plot_timeline(
    windows: Sequence[Window],
    labels: Sequence[str],
    path: Path,
    duration_s: float,
    *,
    max_labels: int = 6,
    title: str = "What happens when",
) -> Path:
    """Draw the scores of the leading labels over time, with a strip of the winning label underneath.

    Args:
        windows: The answer over time.
        labels: The labels that each window scores (`k`).
        path: The PNG file to write.
        duration_s: Length of the video, in seconds.
        max_labels: Lines to draw: the labels that reach the highest scores.
        title: Heading.

    Returns:
        `path`.

    Raises:
        ValueError: If there is no window, or a window has not one score per label.
    """
    parts = stretches(windows, duration_s)
    if not parts:
        raise ValueError("no window to draw; recognize the video with a window, e.g. --window 2s --every 1s")
    winners = [ranked(part.window.scores, labels, 1)[0].label for part in parts]
    shown = leading_labels(windows, labels, max_labels)
    colours = label_colours(labels, [*shown, *winners])
    figure = Figure(figsize=(9.6, 4.4), layout="constrained")
    axes = figure.subplot_mosaic([["scores"], ["strip"]], height_ratios=[8, 1], sharex=True)
    lines, strip = axes["scores"], axes["strip"]
    middles = [(part.window.start_s + part.window.end_s) / 2 for part in parts]
    for label in shown:
        index = labels.index(label)
        scores = [part.window.scores[index] for part in parts]
        mark = "o" if len(parts) <= 40 else None
        (line,) = lines.plot(
            middles, scores, color=hex_colour(colours[label]), linewidth=2, marker=mark, ms=4
        )
        line.set_clip_on(False)
        line.set_label(_plain(writable(label, index), 28))
    _style(lines, title)
    lines.set(ylim=(0, 1.02), xlim=(0, duration_s), ylabel="score")
    lines.yaxis.set_major_formatter(PercentFormatter(1.0))
    lines.tick_params(labelbottom=False)
    legend = lines.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, labelcolor=_INK)
    for text in legend.get_texts():
        _write(text)
    strip.bar(
        [part.start_s for part in parts],
        1,
        [part.end_s - part.start_s for part in parts],
        align="edge",
        color=[hex_colour(colours[label]) for label in winners],
        linewidth=0,
    )
    strip.set(yticks=[], ylim=(0, 1), xlabel="time (min:s)" if duration_s < 3600 else "time (h:min:s)")
    strip.set_ylabel("winner", rotation=0, ha="right", va="center", color=_MUTED)
    strip.tick_params(colors=_MUTED, length=3)
    strip.spines[:].set_visible(False)
    step, ticks = time_ticks(duration_s)
    strip.set_xticks(ticks, labels=[clock(tick, tenths=step < 1) for tick in ticks])
    strip.xaxis.label.set_color(_MUTED)
    return _save(figure, path)


def _columns(history: History) -> dict[str, npt.NDArray[np.float64]]:
    if isinstance(history, Mapping):
        columns = {name: np.array(values, dtype=np.float64) for name, values in history.items()}
    else:
        names = dict.fromkeys(name for row in history for name in row)
        columns = {
            name: np.array([row.get(name, math.nan) for row in history], dtype=np.float64) for name in names
        }
    lengths = {name: len(values) for name, values in columns.items()}
    if not any(lengths.values()):
        raise ValueError("the training history is empty; a curve needs at least one epoch")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the columns of the training history differ in length: {lengths}")
    columns.setdefault("epoch", np.arange(1.0, next(iter(lengths.values())) + 1))
    return columns


def _marker(epochs: npt.NDArray[np.float64]) -> str | None:
    return "o" if len(epochs) <= 15 else None


def _curve(
    axes: Axes, epochs: npt.NDArray[np.float64], values: npt.NDArray[np.float64], colour: str, name: str
) -> None:
    known = np.isfinite(values)  # validation may run every n-th epoch: join the epochs that have a value
    axes.plot(
        epochs[known], values[known], color=colour, label=name, linewidth=2, marker=_marker(epochs), ms=4
    )


def _mark_best(
    axes: Axes,
    epochs: npt.NDArray[np.float64],
    values: npt.NDArray[np.float64] | None,
    best_epoch: int | None,
) -> None:
    if values is None or not np.isfinite(values).any():
        return
    kept = np.flatnonzero((epochs == best_epoch) & np.isfinite(values))
    best = int(kept[0]) if len(kept) else int(np.nanargmax(values))
    axes.plot(epochs[best], values[best], "o", ms=9, mfc="none", mec=_VALIDATION, mew=1.6)
    axes.set_title(
        f"best {values[best]:.1%} in epoch {epochs[best]:g}", loc="right", fontsize=9.5, color=_MUTED
    )


def _style(axes: Axes, title: str) -> None:
    heading = axes.set_title(_plain(title, 60), loc="left", fontsize=11.5, fontweight="bold", color=_INK)
    _write(heading)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b9c0c9")
    axes.grid(True, axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_MUTED, length=3, labelsize=9)
    axes.xaxis.label.set_color(_MUTED)
    axes.yaxis.label.set_color(_MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10, min_n_ticks=1))


def _label_axis(axes: Axes, labels: Sequence[str]) -> None:
    step = -(-len(labels) // _LABELS_ON_AXIS)
    places = list(range(0, len(labels), step))
    names = [_plain(writable(labels[place], place), 26) for place in places]
    size = 10 if len(labels) <= 14 else 8 if len(labels) <= 30 else 6
    level = len(labels) * max(map(len, names)) <= 48
    turn = 0 if level else 40 if len(labels) <= 14 else 90
    axes.set_xticks(places, labels=names, rotation=turn, fontsize=size)
    axes.set_yticks(places, labels=names, fontsize=size)
    axes.tick_params(colors=_MUTED, length=0 if len(labels) <= _CELLS_WITH_TEXT else 2)
    axes.spines[:].set_visible(False)
    if turn == 40:
        for text in axes.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        _write(text)
        text.set_color(_INK)


def _plain(text: str, longest: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _write(text: Text) -> None:
    """Let a text be set as it is: `$` is no formula, and the font is one that has its letters."""
    text.set_parse_math(False)
    font = font_file(text.get_text())
    if font is not None and font.name != "DejaVuSans.ttf":
        text.set_fontproperties(FontProperties(fname=str(font), size=text.get_fontsize()))


def _blues() -> Any:
    from matplotlib import colormaps

    return colormaps["Blues"].with_extremes(bad="#eceef1")


def _save(figure: Figure, path: Path) -> Path:
    path = Path(path)
    with appearing(path) as temporary:
        figure.savefig(
            temporary, dpi=_DPI, format="png", facecolor="white", bbox_inches="tight", pad_inches=0.15
        )
    return path
