"""`muybridge demo`, as far as can be waited for: a folder is never emptied that a demo hasn't filled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import muybridge as mb
from muybridge.cli import demo

Run = Callable[..., Any]


def test_a_folder_of_somebody_elses_is_left_alone(muybridge: Run, tmp_path: Path) -> None:
    holiday = tmp_path / "holiday"
    holiday.mkdir()
    (holiday / "beach.mp4").write_bytes(b"dear")
    ran = muybridge("demo", holiday)
    assert ran.code == 2
    assert "give another folder" in ran.err
    assert (holiday / "beach.mp4").read_bytes() == b"dear"


@pytest.mark.slow
def test_the_whole_line_on_a_smaller_film(
    muybridge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All four steps and every file that they leave, with two actions and one epoch."""
    from muybridge.data.figures import film_dataset, film_story
    from muybridge.recipe import load_recipe

    def small_film(folder: Path, **_: object) -> Path:
        return film_dataset(folder, videos_per_class=(3, 1, 1), size=(60, 80), actions=("walk", "fall"))

    monkeypatch.setattr("muybridge.data.figures.film_dataset", small_film)
    monkeypatch.setattr(
        "muybridge.data.figures.film_story",
        lambda path, **_: film_story(path, actions=("walk", "fall"), size=(120, 160)),
    )
    monkeypatch.setattr(
        "muybridge.recipe.load_recipe",
        lambda name, settings: load_recipe(name, [*settings, "train.epochs=1", "data.num_workers=0"]),
    )
    out = tmp_path / "demo"
    ran = muybridge("demo", out)
    assert ran.code == 0, ran.err
    names = {p.name for p in out.iterdir()}
    assert {
        "annotated.mp4",
        "report.html",
        "result.json",
        "curve.png",
        "confusion.png",
        "film",
        "run",
    } <= names
    for word in ("walk", "fall", "report.html", "muybridge train YOUR_FOLDER"):
        assert word in ran.out
    with mb.Video(out / "annotated.mp4") as video:
        assert video.meta.has_audio
    assert muybridge("demo", out).code == 0  # an earlier demo is replaced
    assert demo.MARK in {p.name for p in out.iterdir()}
