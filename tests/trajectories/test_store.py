"""Files of trajectories: whole, the same in both formats, made once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muybridge.trajectories.extract import find_trajectories
from muybridge.trajectories.settings import DESCRIPTORS, Settings, Trajectories, joined
from muybridge.trajectories.store import StoredTrajectories, TrajectoryFile, save_trajectories
from muybridge.types import VideoError

FAST = Settings(scales=2, camera=False)


@pytest.fixture
def film(films: Any) -> Path:
    path: Path = films.write(films.square(size=72, side=30, frames=19))
    return path


def test_both_formats_give_back_what_was_found(film: Path, tmp_path: Path) -> None:
    found = joined(list(find_trajectories(film, settings=FAST)), FAST)
    for name in ("out.npz", "out.safetensors"):
        saved = save_trajectories(film, tmp_path / name, settings=FAST)
        stored = StoredTrajectories(tmp_path / name)
        again = joined(list(stored), FAST)
        assert len(stored) == saved.count == len(again) == len(found) > 20
        np.testing.assert_array_equal(again.points, found.points)
        np.testing.assert_array_equal(again.last_frame, found.last_frame)
        np.testing.assert_array_equal(again.scale, found.scale)
        for descriptor in DESCRIPTORS:
            told = getattr(again, descriptor)
            assert told.dtype == np.float32
            np.testing.assert_allclose(told, getattr(found, descriptor), rtol=1e-3, atol=1e-6)
        assert stored.settings == FAST
        assert (stored.about["width"], stored.about["height"], stored.about["frames"]) == (72, 72, 19)
        assert stored.about["fps"] == "25"


def test_numpy_and_safetensors_read_the_files_themselves(film: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    save_trajectories(film, tmp_path / "out.npz", settings=FAST)
    save_trajectories(film, tmp_path / "out.safetensors", settings=FAST)
    with np.load(tmp_path / "out.npz") as arrays:
        assert json.loads(str(arrays["about"]))["flow"] == "farneback"
        tensors = load_file(tmp_path / "out.safetensors")
        assert set(arrays.files) == {*tensors, "about"}
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(tensor, arrays[name])


def test_many_are_read_in_parts(tmp_path: Path) -> None:
    settings, count = Settings(), 5000
    rng = np.random.default_rng(0)
    many = Trajectories(
        points=rng.normal(size=(count, 16, 2)).astype(np.float32),
        last_frame=np.arange(count, dtype=np.int32),
        scale=np.ones(count, np.float32),
        **{name: rng.random((count, dim)).astype(np.float32) for name, dim in settings.dims.items()},
    )
    about: dict[str, Any] = {"settings": {}}
    for name in ("many.npz", "many.safetensors"):
        with TrajectoryFile(tmp_path / name, settings, about) as file:
            file.add(many[:3000])
            file.add(many[3000:])
        stored = StoredTrajectories(tmp_path / name)
        sizes = [len(batch) for batch in stored]
        assert sum(sizes) == count
        assert len(sizes) > 1
        assert [len(batch) for batch in stored] == sizes  # anew each time
        np.testing.assert_array_equal(joined(list(stored), settings).points, many.points)


def test_a_file_that_is_ready_is_not_made_again(films: Any, film: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.npz"
    assert not save_trajectories(film, path, settings=FAST, again=False).ready
    made = path.stat().st_mtime_ns
    again = save_trajectories(film, path, settings=FAST, again=False)
    assert again.ready
    assert again.count == len(StoredTrajectories(path))
    assert path.stat().st_mtime_ns == made
    assert not save_trajectories(film, path, settings=Settings(scales=1, camera=False), again=False).ready
    films.write([films.texture(72, 72)] * 17)
    assert save_trajectories(film, path, settings=Settings(scales=1, camera=False), again=False).count == 0


def test_nothing_is_left_of_a_video_that_breaks(films: Any, tmp_path: Path) -> None:
    short = films.write([films.texture(64, 64)] * 5, "short.mp4")
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(VideoError, match="5 frames"):
        save_trajectories(short, folder / "a.npz", draw=folder / "a.mp4")
    assert list(folder.iterdir()) == []
    with pytest.raises(ValueError, match=r"out.txt: trajectories are written as .safetensors or .npz"):
        save_trajectories(short, tmp_path / "out.txt")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_text("dear diary")
    np.savez(tmp_path / "b.npz", points=np.zeros(3))
    for name in ("a.safetensors", "b.npz"):
        with pytest.raises(VideoError, match="no file of trajectories; make one with: muybridge extract"):
            StoredTrajectories(tmp_path / name)
    with pytest.raises(VideoError, match="no such file"):
        StoredTrajectories(tmp_path / "c.npz")
