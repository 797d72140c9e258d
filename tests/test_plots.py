from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from muybridge import plots
from muybridge.metrics.comparison import Comparison, Gain
from muybridge.metrics.significance import Interval
from muybridge.types import Window


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that is saved during the test."""
    saved: list[Figure] = []
    save = Figure.savefig

    def watch(self: Figure, *args: Any, **options: Any) -> None:
        saved.append(self)
        save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", watch)
    return saved


def picture_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return picture.size


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))]


def test_training_curve_from_columns_and_from_rows(tmp_path: Path, figures: list[Figure]) -> None:
    columns = {
        "epoch": [1, 2, 3],
        "train_loss": [1.5, 0.9, 0.4],
        "val_loss": [1.6, math.nan, 0.7],
        "val_top1": [0.2, math.nan, 0.75],
        "lr": [0.01, 0.01, 0.001],
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for index, history in enumerate((columns, rows)):
        path = plots.plot_training(history, tmp_path / f"{index}.png", title="tiny3d")
        assert picture_size(path)[0] > 800
        loss, top1, rate = figures[index].axes
        train, validation = loss.lines
        np.testing.assert_array_equal(train.get_xydata(), [[1, 1.5], [2, 0.9], [3, 0.4]])
        np.testing.assert_array_equal(validation.get_xydata(), [[1, 1.6], [3, 0.7]])
        np.testing.assert_array_equal(rate.lines[0].get_ydata(), [0.01, 0.01, 0.001])
        assert [axes.get_xlabel() for axes in (loss, top1, rate)] == ["epoch"] * 3
        assert "best 75.0% in epoch 3" in texts(figures[index])


def test_the_epoch_that_was_kept_is_marked(tmp_path: Path, figures: list[Figure]) -> None:
    rows = [{"epoch": n, "train_loss": 1.0, "val_loss": 1.0 / n, "val_top1": 1.0} for n in (1, 2, 3)]
    plots.plot_training(rows, tmp_path / "kept.png", best_epoch=3)
    assert "best 100.0% in epoch 3" in texts(figures[0])


def test_training_of_one_epoch_without_validation(tmp_path: Path) -> None:
    path = plots.plot_training([{"train_loss": 2.0}], tmp_path / "one.png")
    assert picture_size(path)[0] > 800


def test_training_that_got_nothing_right_and_one_without_loss(tmp_path: Path) -> None:
    rows = [{"epoch": 1, "train_loss": 0.0, "val_loss": 0.0, "train_top1": 0.0, "val_top1": 0.0}]
    assert picture_size(plots.plot_training(rows, tmp_path / "nothing.png"))[0] > 800


@pytest.mark.parametrize("history", [[], {}, {"train_loss": []}])
def test_an_empty_history_is_refused(history: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one epoch"):
        plots.plot_training(history, tmp_path / "none.png")


def test_confusion_matrix_shows_counts_and_shares_of_the_true_class(
    tmp_path: Path, figures: list[Figure]
) -> None:
    matrix = [[6, 2, 0], [1, 3, 0], [0, 0, 0]]
    plots.plot_confusion(matrix, ["fall", "sit", "walk"], tmp_path / "confusion.png")
    axes = figures[0].axes[0]
    shares = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0], [0.25, 0.75, 0], [np.nan] * 3])
    assert sorted(t.get_text() for t in axes.texts if t.get_text().isdigit()) == ["1", "2", "3", "6"]
    assert "9 of 12 videos right (75.0%), mean of classes 75.0%" in texts(figures[0])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


@pytest.mark.parametrize("k", [1, 2, 24, 101, 400])
def test_confusion_matrix_stays_readable(k: int, tmp_path: Path, figures: list[Figure]) -> None:
    matrix = np.eye(k, dtype=np.int64) * 7
    path = plots.plot_confusion(matrix, [f"some long action name {i}" for i in range(k)], tmp_path / "c.png")
    axes = figures[0].axes[0]
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert len(names) <= 60
    assert names[0] == "some long action name 0"
    assert any(text.get_text() == "7" for text in axes.texts) == (k <= 24)
    boxes = [text.get_window_extent() for text in axes.get_yticklabels()]
    assert not any(one.overlaps(two) for one, two in pairwise(boxes))
    assert max(picture_size(path)) < 2600


@pytest.mark.parametrize(
    ("matrix", "labels"), [(np.eye(3), ["a", "b"]), (np.ones((2, 3)), ["a", "b"]), ([], [])]
)
def test_a_matrix_that_does_not_fit_its_labels_is_refused(
    matrix: Any, labels: list[str], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="per label"):
        plots.plot_confusion(matrix, labels, tmp_path / "c.png")
    assert list(tmp_path.iterdir()) == []


def test_labels_are_shown_as_they_are(tmp_path: Path, figures: list[Figure]) -> None:
    # `$` would start a formula, and a glyph that is missing would warn, which fails a test here.
    labels = ["$x^", "跑步", "🏀 dunk", "नमस्ते", "a\nb"]
    plots.plot_confusion(np.eye(5, dtype=int), labels, tmp_path / "c.png", title="$5 films")
    names = [text.get_text() for text in figures[0].axes[0].get_yticklabels()]
    assert names[0] == "$x^"
    assert names[4] == "a b"
    assert len(set(names)) == 5


def test_timeline_draws_the_leading_labels_and_the_winners(tmp_path: Path, figures: list[Figure]) -> None:
    labels = ["fall", "sit", "walk"]
    windows = [
        Window(start_s=0, end_s=2, scores=(0.7, 0.2, 0.1)),
        Window(start_s=1, end_s=3, scores=(0.2, 0.7, 0.1)),
    ]
    path = plots.plot_timeline(windows, labels, tmp_path / "t.png", 3.0, max_labels=2)
    lines, strip = figures[0].axes
    assert [line.get_label() for line in lines.lines] == ["fall", "sit"]
    np.testing.assert_allclose(lines.lines[0].get_xydata(), [[1, 0.7], [2, 0.2]])
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in strip.patches]
    assert spans == [(0.0, 1.5), (1.5, 3.0)]
    assert strip.patches[0].get_facecolor()[:3] == pytest.approx(tuple(c / 255 for c in (0x00, 0x72, 0xB2)))
    assert "time" in strip.get_xlabel()
    assert picture_size(path)[0] > 800


def test_a_timeline_wants_windows(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--window"):
        plots.plot_timeline([], ["a"], tmp_path / "t.png", 3.0)


def test_a_failure_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.png"
    path.write_bytes(b"old")

    def fail(self: Figure, file: Path, **options: Any) -> None:
        Path(file).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plots.plot_confusion([[1]], ["a"], path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_no_backend_is_chosen(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from muybridge import plots;"
        f"plots.plot_confusion([[1]], ['a'], Path({str(tmp_path / 'c.png')!r}));"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_training_curve_of_several_labels_is_of_map(tmp_path: Path, figures: list[Figure]) -> None:
    rows = [{"epoch": n, "train_loss": 0.3 / n, "val_loss": 0.4 / n, "val_map": 0.1 * n} for n in (1, 2, 3)]
    plots.plot_training(rows, tmp_path / "map.png")
    assert "best 30.0% in epoch 3" in texts(figures[0])
    assert "Mean average precision" in texts(figures[0])
    np.testing.assert_allclose(figures[0].axes[1].lines[0].get_ydata(), [0.1, 0.2, 0.3])


def test_mistakes_among_many_classes_are_told_in_words(tmp_path: Path, figures: list[Figure]) -> None:
    for k in (60, 200):
        matrix = np.eye(k, dtype=np.int64) * 5
        matrix[7, 30], matrix[2, 3] = 9, 4
        plots.plot_confusion(matrix, [f"action {i}" for i in range(k)], tmp_path / "c.png")
        told = "\n".join(texts(figures[-1]))
        worst, second = "action 7 taken for action 30: 9 of 14", "action 2 taken for action 3: 4 of 9"
        assert told.index(worst) < told.index(second)
    dots = figures[-1].axes[0].collections[0].get_offsets()
    assert sorted(map(tuple, np.asarray(dots).tolist())) == [(3, 2), (30, 7)]


def test_classes_are_drawn_best_first_without_those_that_no_video_shows(
    tmp_path: Path, figures: list[Figure]
) -> None:
    path = plots.plot_classes(["fall", "sit", "walk"], [0.25, None, 0.75], [4, 0, 8], tmp_path / "c.png")
    axes = figures[0].axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["walk", "fall"]
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.25]
    assert {"75% of 8", "25% of 4"} <= set(texts(figures[0]))
    assert "accuracy of 2 classes, mean 50.0%; 1 without videos left out" in texts(figures[0])
    assert picture_size(path)[0] > 800
    with pytest.raises(ValueError, match="no class has a score"):
        plots.plot_classes(["fall"], [None], [0], tmp_path / "n.png")
    with pytest.raises(ValueError, match="one of each per label"):
        plots.plot_classes(["fall"], [0.5, 0.5], [1, 1], tmp_path / "n.png")


def compared(gains: list[float | None]) -> Comparison:
    rows = [
        Gain(label=f"a rather long action name {n}", videos=9, before=g and 0.5, after=g and 0.5 + g)
        for n, g in enumerate(gains)
    ]
    return Comparison(
        score_name="mAP",
        videos=90,
        before=0.5,
        after=0.55,
        interval=Interval(0.01, 0.09),
        per_class=tuple(rows),
    )


def test_gains_are_drawn_from_most_gained_to_most_lost(tmp_path: Path, figures: list[Figure]) -> None:
    plots.plot_gains(compared([-0.2, 0.1, None, 0.3]), tmp_path / "g.png", before="slow", after="slowfast")
    axes = figures[0].axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([30, 10, -20])
    assert [text.get_text()[-1] for text in axes.get_yticklabels()] == ["3", "1", "0"]
    colours = [bar.get_facecolor() for bar in axes.patches]
    assert colours[0] == colours[1] != colours[2]
    told = "\n".join(texts(figures[0]))
    assert "slowfast against slow" in told
    assert "mAP 50.0% → 55.0% (+5.0 points, 95%: +1.0 to +9.0), 90 videos" in told
    assert "2 classes better, 1 worse, 0 the same" in told
    assert "50% → 80%" in told


@pytest.mark.parametrize("k", [1, 27, 100])
def test_gains_stay_readable(k: int, tmp_path: Path, figures: list[Figure]) -> None:
    gains = [0.4 * np.sin(n + 0.5) for n in range(k)]
    plots.plot_gains(compared(gains), tmp_path / "g.png", before="a", after="b")
    axes = figures[0].axes[0]
    assert len(axes.patches) == min(k, 80)
    figures[0].draw_without_rendering()
    words = [text for text in (*axes.get_yticklabels(), *axes.texts) if text.get_text()]
    boxes = [text.get_window_extent() for text in words]
    assert not any(one.overlaps(two) for at, one in enumerate(boxes) for two in boxes[at + 1 :])


def points(names: int) -> list[plots.Point]:
    return [
        plots.Point(
            name=f"model_{n}_8x8",
            gflops=20 * 1.6**n,
            score=0.6 + 0.02 * n - 0.03 * (n % 2),
            parameters=(n + 1) * 4_000_000,
            family=f"family {n % 2}",
        )
        for n in range(names)
    ]


def test_cost_is_drawn_against_score_with_parameters_as_area(tmp_path: Path, figures: list[Figure]) -> None:
    plots.plot_tradeoff(points(4), tmp_path / "t.png", score_name="mAP")
    axes = figures[0].axes[0]
    marks = [(*mark.get_offsets()[0], mark.get_sizes()[0]) for mark in axes.collections]
    assert [mark[0] for mark in marks] == pytest.approx([20, 32, 51.2, 81.92])
    assert [mark[1] for mark in marks] == pytest.approx([0.6, 0.59, 0.64, 0.63])
    assert marks[3][2] / marks[0][2] == pytest.approx(4)
    assert [list(line.get_xdata()) for line in axes.lines] == [
        pytest.approx([20, 51.2]), pytest.approx([32, 81.92]),
    ]  # fmt: skip
    assert (axes.get_xscale(), axes.get_ylabel()) == ("log", "mAP")


@pytest.mark.parametrize("names", [1, 2, 12])
def test_names_of_models_cover_no_other(names: int, tmp_path: Path, figures: list[Figure]) -> None:
    plots.plot_tradeoff(points(names), tmp_path / "t.png")
    figures[0].draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in figures[0].axes[0].texts]
    assert len(boxes) == names
    assert not any(one.overlaps(two) for at, one in enumerate(boxes) for two in boxes[at + 1 :])


def test_a_cost_of_nothing_has_no_place_on_the_axis(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        plots.plot_tradeoff([plots.Point(name="a", gflops=0, score=0.5, parameters=1)], tmp_path / "t.png")
    with pytest.raises(ValueError, match="at least one"):
        plots.plot_tradeoff([], tmp_path / "t.png")
    assert list(tmp_path.iterdir()) == []
