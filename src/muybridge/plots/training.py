"""The course of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from muybridge.ink import PALETTE, hex_colour
from muybridge.plots._look import INK, MUTED, plain, save, style

History = Mapping[str, Sequence[float]] | Sequence[Mapping[str, float]]

_TRAIN, _VALIDATION = hex_colour(PALETTE[0]), hex_colour(PALETTE[5])


def plot_training(
    history: History, path: Path, *, best_epoch: int | None = None, title: str = "Training"
) -> Path:
    """Draw loss, accuracy and learning rate over the epochs.

    Args:
        history: Either one list per column or one mapping per epoch, with `epoch`, `train_loss`, `val_loss`,
            `val_top1` (0..1; of a multi-label training `val_map`), optionally `train_top1` (`train_map`) and `lr`.
            Missing columns and values (None, NaN) are left out; without `epoch` the rows are counted from 1.
        path: The PNG file to write.
        best_epoch: The epoch whose weights were kept, to be marked; None marks the first of the highest `val_top1`
            or `val_map`.
        title: Heading.

    Returns:
        `path`.

    Raises:
        ValueError: If there is no epoch to draw.
    """
    columns = _columns(history)
    epochs = columns.pop("epoch")
    several = "val_map" in columns or "train_map" in columns
    merit, heading, unit = (
        ("map", "Mean average precision", "mAP") if several else ("top1", "Top-1 accuracy", "videos right")
    )
    with_rate = np.isfinite(columns.get("lr", np.array([math.nan]))).any()
    figure = Figure(figsize=(9.6, 5.2 if with_rate else 4.2), layout="constrained")
    figure.suptitle(plain(title, 90), x=0.01, ha="left", fontsize=14, fontweight="bold", color=INK)
    rows: list[Any] = [["loss", merit], ["lr", "lr"]] if with_rate else [["loss", merit]]
    axes = figure.subplot_mosaic(rows, height_ratios=[4, 1.3] if with_rate else [1])
    for name, colour, kind in (("train", _TRAIN, "training"), ("val", _VALIDATION, "validation")):
        for key in ("loss", merit):
            values = columns.get(f"{name}_{key}")
            if values is not None and np.isfinite(values).any():
                _curve(axes[key], epochs, values, colour, kind)
    entropy = "binary cross-entropy" if several else "cross-entropy"
    for key, above, beside in (("loss", "Loss", entropy), (merit, heading, unit)):
        style(axes[key], above)
        axes[key].set(ylabel=beside, xlabel="epoch", xlim=(epochs.min() - 0.5, epochs.max() + 0.5))
        if axes[key].lines:
            axes[key].legend(frameon=False, fontsize=9, labelcolor=INK)
    # A loss of zero throughout has no height of its own.
    axes["loss"].set_ylim(0, axes["loss"].dataLim.y1 * 1.08 or 1.0 if axes["loss"].lines else 1.0)
    axes[merit].set_ylim(0, 1.02)
    axes[merit].yaxis.set_major_formatter(PercentFormatter(1.0))
    _mark_best(axes[merit], epochs, columns.get(f"val_{merit}"), best_epoch)
    if with_rate:
        style(axes["lr"], "Learning rate")
        axes["lr"].set(xlabel="epoch", xlim=(epochs.min() - 0.5, epochs.max() + 0.5))
        axes["lr"].plot(epochs, columns["lr"], color=MUTED, linewidth=1.6, marker=_marker(epochs))
        axes["lr"].set_ylim(0, float(np.nanmax(columns["lr"])) * 1.15 or 1.0)
    return save(figure, path)


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
        f"best {values[best]:.1%} in epoch {epochs[best]:g}", loc="right", fontsize=9.5, color=MUTED
    )
