"""`muybridge extract`: files for one video and for many, tracks drawn, and what bad input does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import muybridge as mb
from muybridge.trajectories.store import StoredTrajectories

Run = Callable[..., Any]


@pytest.fixture
def folder(films: Any) -> Path:
    """Two films in class folders."""
    below: Path = films.folder / "films"
    for name in ("walk", "fall"):
        (below / name).mkdir(parents=True)
        films.write(films.square(size=64, side=30, frames=17), f"films/{name}/a.mp4")
    return below


def test_one_video_gives_a_file_and_a_film(muybridge: Run, folder: Path, tmp_path: Path) -> None:
    ran = muybridge(
        "extract", folder / "walk" / "a.mp4", tmp_path / "out.npz",
        "--features", "trajectories", "--save", tmp_path / "tracks.mp4", "--scales", 1,
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    stored = StoredTrajectories(tmp_path / "out.npz")
    assert f"out.npz: {len(stored)} trajectories" in ran.out
    assert len(stored) > 10
    with mb.Video(tmp_path / "tracks.mp4") as drawn:
        assert len(drawn) == 17


def test_a_folder_gives_a_folder_of_the_same_shape_and_goes_on(
    muybridge: Run, folder: Path, tmp_path: Path
) -> None:
    (folder / "walk" / "broken.mp4").write_text("dear diary\n" * 50)
    out = tmp_path / "out"
    command = ("extract", folder, out, "--scales", 1, "--workers", 1, "--save", tmp_path / "drawn")
    ran = muybridge(*command)
    assert ran.code == 2
    assert "broken.mp4" in ran.err
    assert "2 of 3 videos done" in ran.err
    made = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert made == ["fall/a.safetensors", "walk/a.safetensors"]
    assert len(list((tmp_path / "drawn").rglob("*.mp4"))) == 2
    (folder / "walk" / "broken.mp4").unlink()
    (out / "fall" / "a.safetensors").unlink()
    again = muybridge(*command)
    assert again.code == 0
    assert again.out.count("ready") == 1
    assert (out / "fall" / "a.safetensors").exists()


def test_bad_input_is_one_line(muybridge: Run, folder: Path, tmp_path: Path) -> None:
    video = folder / "walk" / "a.mp4"
    for arguments, told in (
        ((video, tmp_path / "a.txt"), "written as .safetensors or .npz"),
        ((folder, tmp_path / "a.npz"), "one file for 2 videos; give a folder instead"),
        ((video, tmp_path / "a.npz", "--flow", "farnebak"), "farneback"),
        ((video, tmp_path / "a.npz", "--features", "sift"), "there is only trajectories"),
        ((video, tmp_path / "a.npz", "--length", 16), "a multiple of time_cells"),
        ((tmp_path / "absent.mp4", tmp_path / "a.npz"), "no such file"),
        ((video, tmp_path / "nowhere" / "a.npz"), "does not exist"),
    ):
        ran = muybridge("extract", *arguments)
        assert ran.code == 2
        assert told in ran.err
        assert len(ran.err.splitlines()) == 1
    assert list(tmp_path.glob("*.npz")) == []


def test_several_processes_find_the_same_with_our_own_flow(
    muybridge: Run, folder: Path, tmp_path: Path
) -> None:
    found = {}
    for workers in (1, 2):
        out = tmp_path / str(workers)
        ran = muybridge("extract", folder, out, "--scales", 1, "--flow", "tvl1", "--workers", workers)
        assert (ran.code, ran.err) == (0, "")
        found[workers] = [StoredTrajectories(out / name / "a.safetensors") for name in ("walk", "fall")]
    for one, two in zip(found[1], found[2], strict=True):
        assert len(one) == len(two) > 10
        assert one.about["flow"] == "tvl1"
