"""`muybridge data make` and `data show`: what a person types, and what lies there afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import muybridge as mb

Run = Callable[..., Any]
TINY = ("--height", "48", "--width", "64", "--workers", "1")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from muybridge.data.figures import film_dataset

    folder = tmp_path_factory.mktemp("crowd") / "crowd"
    return film_dataset(folder, task="spatiotemporal", videos=3, size=(48, 64), length_s=(3, 3))


def test_made_clips_can_be_shown_and_the_way_on_is_told(
    muybridge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("data", "make", "figures", "set", "--size", "6", "--actions", "walk,wave", "--seed", "5", *TINY)
    ran = muybridge(*asked)
    assert ran.code == 0, ran.err
    for word in ("6 films (train 2, val 2, test 2)", "muybridge data show set", "muybridge train set"):
        assert word in ran.out
    assert json.loads(Path("set/manifest.json").read_text())["seed"] == 5
    assert muybridge(*asked).out == ran.out  # nothing is left to be done
    shown = muybridge("data", "show", "set")
    assert shown.code == 0, shown.err
    assert "2 classes" in shown.out
    sheet = np.array(Image.open("set-sheet.png"))
    assert min(sheet.shape[:2]) > 150
    film = next(Path("set/test").rglob("*.mp4"))
    with mb.Video("set-sample.mp4") as sample, mb.Video(film) as video:
        assert sample.meta.height >= 360
        assert sample.meta.width == sample.meta.height * video.meta.width // video.meta.height
    assert {path.name for path in tmp_path.iterdir()} == {"set", "set-sheet.png", "set-sample.mp4"}


def test_a_label_is_drawn_while_it_is_on_and_a_timeline_runs_along(muybridge: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    ran = muybridge(
        "data", "make", "figures", data, "--task", "temporal", "--size", "3", "--length", "4-5", *TINY
    )
    assert ran.code == 0, ran.err
    out, save = tmp_path / "sheet.png", tmp_path / "sample.mp4"
    ran = muybridge("data", "show", data, "--out", out, "--save", save)
    assert ran.code == 0, ran.err
    told = json.loads((data / "activitynet.json").read_text())["database"]
    name = ran.out.split("sample.mp4")[1].split()[0].removesuffix(".mp4")
    segments = [a["segment"] for a in told[name]["annotations"]]
    with mb.Video(save) as sample, mb.Video(data / "videos" / f"{name}.mp4") as plain:
        assert len(sample) == len(plain)
        duration = plain.meta.duration_s
        width = sample.meta.width
        strip = sample.frames([0])[0, :, -4].float()  # a row of the bar; its ground is nearly black
        for at in np.linspace(0.03, 0.97, 40):
            on = any(start + 0.1 < at * duration < end - 0.1 for start, end in segments)
            off = all(not start - 0.1 < at * duration < end + 0.1 for start, end in segments)
            bright = float(strip[:, int(at * width)].max())
            assert not (on and bright < 70), at
            assert not (off and bright > 60), at


def test_boxes_are_drawn_round_everybody(muybridge: Run, crowd: Path, tmp_path: Path) -> None:
    save = tmp_path / "sample.mp4"
    ran = muybridge("data", "show", crowd, "--out", tmp_path / "sheet.png", "--save", save)
    assert ran.code == 0, ran.err
    name = ran.out.split("sample.mp4")[1].split()[0].removesuffix(".mp4")
    tubes = json.loads((crowd / "tubes" / f"{name}.json").read_text())["tubes"]
    with mb.Video(save) as sample, mb.Video(crowd / "videos" / f"{name}.mp4") as plain:
        scale = sample.meta.height // plain.meta.height
        drawn, bare = sample.frames([10])[0].float(), plain.frames([10])[0].float()
    bare = bare.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    changed = (drawn - bare).abs().amax(0) > 50
    height, width = changed.shape
    for tube in tubes:
        if tube["start_frame"] <= 10 < tube["end_frame"]:
            left, _, right, bottom = tube["boxes"][10 - tube["start_frame"]]
            row = min(round(bottom * height), height - 1)
            edge = changed[max(0, row - 3) : row + 3, round(left * width) : round(right * width)].any(0)
            assert edge.float().mean() > 0.6


def test_any_class_folders_can_be_shown(muybridge: Run, film: Path, tmp_path: Path) -> None:
    (film / "train" / "walk" / "aa_broken.mp4").write_bytes(b"no film")
    try:
        ran = muybridge("data", "show", film, "--out", tmp_path / "a.png", "--save", tmp_path / "a.mp4")
    finally:
        (film / "train" / "walk" / "aa_broken.mp4").unlink()
    assert ran.code == 0, ran.err
    assert (tmp_path / "a.png").is_file()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("figures", "new", "--size", "9", "--task", "spatial"), "no task 'spatial'; did you mean"),
        (("figures", "new", "--size", "9", "--actions", "wlak"), "did you mean walk"),
        (("figures", "new", "--size", "9"), "9 videos of 27 classes"),
        (("figures", "new", "--size", "99", "--height", "47"), "give even numbers"),
        (("figures", "new", "--size", "3", "--task", "temporal", "--length", "long"), "write 60-300"),
        (("figures", "holiday", "--size", "99"), "exists and holds something else"),
        (("figures", "holiday/beach.mp4", "--size", "99"), "is a file; give a folder"),
        (("cartoons", "new", "--size", "99"), "muybridge data make figures OUT"),
    ],
)
def test_a_mistake_is_told_in_a_line_and_makes_nothing(
    asked: tuple[str, ...], told: str, muybridge: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("holiday").mkdir()
    Path("holiday/beach.mp4").write_bytes(b"dear")
    ran = muybridge("data", "make", *asked)
    assert ran.code == 2
    assert told in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["holiday", "beach.mp4"]


def test_what_cannot_be_shown_is_told(muybridge: Run, film: Path, tmp_path: Path) -> None:
    ran = muybridge("data", "show", tmp_path / "none")
    assert ran.code == 2
    assert "no such folder" in ran.err
    ran = muybridge("data", "show", film, "--out", tmp_path / "sheet.bmp")
    assert ran.code == 2
    assert "name it sheet.png" in ran.err
    assert not list(tmp_path.iterdir())
