"""The scores of a video over its time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from muybridge.ink import (
    answer_colours,
    clock,
    hex_colour,
    leading_labels,
    ranked,
    stretches,
    time_ticks,
    writable,
)
from muybridge.plots._look import INK, MUTED, plain, save, style, write
from muybridge.types import Window


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
    colours = answer_colours(labels, windows, others=winners)
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
        line.set_label(plain(writable(label, index), 28))
    style(lines, title)
    lines.set(ylim=(0, 1.02), xlim=(0, duration_s), ylabel="score")
    lines.yaxis.set_major_formatter(PercentFormatter(1.0))
    lines.tick_params(labelbottom=False)
    legend = lines.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, labelcolor=INK)
    for text in legend.get_texts():
        write(text)
    strip.bar(
        [part.start_s for part in parts],
        1,
        [part.end_s - part.start_s for part in parts],
        align="edge",
        color=[hex_colour(colours[label]) for label in winners],
        linewidth=0,
    )
    strip.set(yticks=[], ylim=(0, 1), xlabel="time (min:s)" if duration_s < 3600 else "time (h:min:s)")
    strip.set_ylabel("winner", rotation=0, ha="right", va="center", color=MUTED)
    strip.tick_params(colors=MUTED, length=3)
    strip.spines[:].set_visible(False)
    step, ticks = time_ticks(duration_s)
    strip.set_xticks(ticks, labels=[clock(tick, tenths=step < 1) for tick in ticks])
    strip.xaxis.label.set_color(MUTED)
    return save(figure, path)
