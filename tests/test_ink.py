from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import matplotlib
import pytest

from muybridge import ink
from muybridge.types import Window


def window(start_s: float, end_s: float, *scores: float) -> Window:
    return Window(start_s=start_s, end_s=end_s, scores=scores or (1.0,))


def test_each_moment_belongs_to_the_window_with_the_nearest_centre() -> None:
    windows = [window(4.0, 6.0), window(0.0, 2.0), window(1.0, 3.0), window(9.0, 9.5)]
    parts = ink.stretches(windows, 10.0)
    assert parts[0].start_s == 0.0
    assert parts[-1].end_s == 10.0
    assert all(one.end_s == two.start_s for one, two in pairwise(parts))
    for time_s in (0.0, 0.7, 1.49, 1.51, 3.4, 3.6, 7.0, 7.2, 8.0, 10.0):
        nearest = min(windows, key=lambda w: abs((w.start_s + w.end_s) / 2 - time_s))
        assert parts[ink.stretch_at(parts, time_s)].window == nearest


def test_times_outside_belong_to_the_ends() -> None:
    parts = ink.stretches([window(0, 1), window(1, 2)], 2.0)
    assert ink.stretch_at(parts, -5.0) == 0
    assert ink.stretch_at(parts, 99.0) == 1


def test_no_windows_no_stretches() -> None:
    assert ink.stretches([], 10.0) == []


def test_a_label_keeps_its_colour_whatever_is_shown() -> None:
    labels = ["fall", "sit", "walk"]
    assert ink.label_colours(labels, ["walk"]) == ink.label_colours(labels, ["fall", "sit"])


def test_shown_labels_of_a_large_set_get_different_colours() -> None:
    labels = [f"action {index}" for index in range(400)]
    shown = ["action 3", "action 13", "action 23", "action 399", "action 9"]
    colours = ink.label_colours(labels, shown)
    assert len({colours[label] for label in shown}) == len(shown)
    assert set(labels) <= set(colours)


def test_a_label_outside_the_set_has_a_colour() -> None:
    assert "other" in ink.label_colours(["a", "b"], ["other"])


def test_an_answer_has_the_same_colours_in_every_picture() -> None:
    labels = [f"action {index}" for index in range(27)]
    scores = [0.01 * index for index in range(27)]
    windows = [window(0, 1, *scores), window(1, 2, *scores[::-1])]
    overlay = ink.answer_colours(labels, windows, others=["action 2", "action 25"])
    report = ink.answer_colours(labels, windows, ink.ranked(scores, labels, 5), ["action 13", "action 0"])
    leading = ink.leading_labels(windows, labels, len(ink.PALETTE))
    assert [overlay[label] for label in leading] == [report[label] for label in leading]
    assert len({overlay[label] for label in leading}) == len(leading)


def test_ranked_wants_one_score_per_label() -> None:
    with pytest.raises(ValueError, match="2 scores for 3 labels"):
        ink.ranked([0.5, 0.5], ["a", "b", "c"])


def test_leading_labels_are_ranked_by_their_best_window() -> None:
    windows = [window(0, 1, 0.9, 0.05, 0.05), window(1, 2, 0.1, 0.3, 0.6)]
    assert ink.leading_labels(windows, ["a", "b", "c"], 2) == ["a", "c"]


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0, "0:00.0"), (7.54, "0:07.5"), (59.96, "1:00.0"), (750, "12:30.0"), (3723, "1:02:03.0")],
)
def test_clock(time_s: float, text: str) -> None:
    assert ink.clock(time_s) == text


@pytest.mark.parametrize("duration_s", [0.03, 0.9, 10.0, 61.0, 1200.0, 7200.0, 100_000.0])
def test_time_ticks_are_round_and_few(duration_s: float) -> None:
    step, ticks = ink.time_ticks(duration_s)
    assert ticks[0] == 0
    assert ticks[-1] <= duration_s + 1e-6
    assert len(ticks) <= 11
    assert duration_s - ticks[-1] < step


def test_latin_is_written_with_the_font_that_matplotlib_brings() -> None:
    assert ink.font_file("fegt die Straße") == Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"


def test_names_that_no_font_can_write(monkeypatch: pytest.MonkeyPatch) -> None:
    only = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    monkeypatch.setattr(ink, "_font_files", lambda: (only,))
    assert ink.writable("跑步", 3) == "class 3"
    assert ink.writable("走 A", 4) == "class 4"
    assert ink.writable("🏀 shooting", 5) == "shooting"
    assert ink.writable("", 6) == "class 6"
    assert ink.writable("two\nlines", 7) == "two lines"
