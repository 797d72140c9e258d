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
from PIL import Image

from muybridge import plots
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
