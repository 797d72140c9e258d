"""The models that come with the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import muybridge as mb
from muybridge.bundled import bundled_path, list_bundled
from muybridge.data.figures import RECOGNIZED, film_dataset

NAME = "tiny3d.figures"
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of each action, of a seed that the model has never seen."""
    return film_dataset(tmp_path_factory.mktemp("unseen"), videos_per_class=(1, 0, 0), seed=77)


def test_they_are_small() -> None:
    files = [bundled_path(name) for name in list_bundled()]
    assert sum(file.stat().st_size for file in files if file) < 6e6


def test_the_recognizer_knows_what_people_it_has_never_seen_do(films: Path) -> None:
    model = mb.load(NAME)
    assert set(model.labels) == set(RECOGNIZED)
    clips = sorted(films.glob("train/*/*.mp4"))
    right = sum(model.recognize(clip).top(1)[0].label == clip.parent.name for clip in clips)
    # Its card promises nine in ten; of 27 films, four more may go wrong by chance (binomial, 99 %).
    assert right >= 20


def test_it_is_found_by_its_name_everywhere(muybridge: Run, films: Path) -> None:
    clip = next(films.glob("train/squat/*.mp4"))
    told = muybridge("recognize", clip, "--model", NAME, "--clips", 1)
    assert told.code == 0, told.err
    assert "squat" in told.out
    card = muybridge("models", NAME)
    assert "comes with muybridge" in card.out
    assert "real people" in card.out
    assert NAME in muybridge("models", "--weights").out
    assert "did you mean tiny3d.figures" in muybridge("models", "tiny3d.figure").err


def test_training_starts_from_it(muybridge: Run, films: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    for action in ("fall", "squat"):
        for number in range(3):
            target = few / action / f"{number}.mp4"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(next(films.glob(f"train/{action}/*.mp4")))
    ran = muybridge(
        "train", few, "--start", NAME, "--out", tmp_path / "run", "--freeze-backbone",
        "train.epochs=1", "data.num_workers=0", "clip.size=64", "clip.short_side=64",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert mb.load(tmp_path / "run" / "model.safetensors").labels == ("fall", "squat")
