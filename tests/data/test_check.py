from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from muybridge.data.check import check_data

Film = Callable[..., Path]


def test_a_sound_data_set(tmp_path: Path, film: Film) -> None:
    for number, name in enumerate(("train/a/1", "train/a/2", "train/b/1", "val/a/1", "val/b/1")):
        film(tmp_path / f"{name}.mp4", seed=number)
    steps: list[tuple[int, int]] = []
    report = check_data(tmp_path, lambda done, total: steps.append((done, total)))
    assert report.ok
    assert steps == [(n, 5) for n in range(1, 6)]
    assert report.classes == {"train": {"a": 2, "b": 1}, "val": {"a": 1, "b": 1}}
    assert report.sizes == {(48, 36): 5}
    assert report.rates == {"10": 5}
    assert report.seconds == pytest.approx(6.0)
    assert report.twins == []
    assert "all is well" in report.describe()


def test_the_same_film_on_both_sides_is_found_even_encoded_anew(tmp_path: Path, film: Film) -> None:
    film(tmp_path / "train/a/1.mp4", seed=1)
    film(tmp_path / "train/b/2.mp4", seed=2)
    (tmp_path / "val/a").mkdir(parents=True)
    shutil.copy(tmp_path / "train/a/1.mp4", tmp_path / "val/a/copy.mp4")
    film(tmp_path / "val/b/smaller.mp4", seed=2, crf=28)
    report = check_data(tmp_path)
    found = {(t.first.name, t.second.name, t.kind) for t in report.leaks}
    assert found == {("1.mp4", "copy.mp4", "same file"), ("2.mp4", "smaller.mp4", "looks alike")}
    assert not report.ok
    assert "on both sides of a split: 2" in report.describe()


def test_one_film_under_two_classes_is_told_but_leaks_nothing(tmp_path: Path, film: Film) -> None:
    path = film(tmp_path / "a/1.mp4")
    (tmp_path / "b").mkdir()
    shutil.copy(path, tmp_path / "b/1.mp4")
    report = check_data(tmp_path)
    assert len(report.contradictions) == 1
    assert report.ok


def test_broken_and_short_files_are_listed(tmp_path: Path, film: Film) -> None:
    film(tmp_path / "a/whole.mp4", seed=1)
    film(tmp_path / "a/short.mp4", seed=2, frames=3)
    data = film(tmp_path / "b/torn.mp4", seed=3, frames=60, height=120, width=160).read_bytes()
    (tmp_path / "b/torn.mp4").write_bytes(data[: len(data) // 2])
    (tmp_path / "b/empty.mp4").write_bytes(b"")
    report = check_data(tmp_path)
    assert {path.name for path in report.broken} == {"torn.mp4", "empty.mp4"}
    assert {path.name: frames for path, frames in report.short.items()} == {"short.mp4": 3}
    assert not report.ok
    assert report.describe().startswith("4 videos, 0 min 02 s; 2 broken")
    assert all("\n" not in reason for reason in report.broken.values())
    assert report.to_dict()["broken"].keys() == {str(tmp_path / "b/torn.mp4"), str(tmp_path / "b/empty.mp4")}


@pytest.mark.shared
def test_the_codec_gives_basketball_away(shared: Path, tmp_path: Path) -> None:
    folder = shared / "clips" / "basketball5"
    paths = [path for label in ("dribbling", "shooting") for path in sorted((folder / label).iterdir())[:8]]
    (tmp_path / "list.csv").write_text("".join(f"{path},{path.parent.name}\n" for path in paths))
    report = check_data(tmp_path / "list.csv")
    assert report.videos == 16
    assert report.codecs["dribbling"] == {"hevc": 8}
    assert "codecs differ between classes" in report.describe()
