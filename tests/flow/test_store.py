"""Stored flow gives back what was computed; what others stored is read; what is damaged is said."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from muybridge.flow import parts as parts_room
from muybridge.flow.parts import part_length, store_flow
from muybridge.flow.store import StoredFlow, find_flow, open_flow, read_flow
from muybridge.flow.storing import Storing
from muybridge.types import VideoError
from muybridge.video.reader import Video


class Counting:
    """A method whose answer is known: x is the brightness of the first frame / 10 - 10, y is that of the second."""

    method = "counting"

    def __init__(self) -> None:
        self.pairs = 0
        self.most = 0

    def __call__(
        self, first: Tensor, second: Tensor, *, progress: Callable[[int, int], None] | None = None
    ) -> Tensor:
        self.pairs += len(first)
        self.most = max(self.most, len(first))
        if progress is not None:
            progress(len(first), len(first))
        return torch.stack([first.float().mean(1), second.float().mean(1)], dim=1) / 10 - 10


def film(count: int = 30, height: int = 48, width: int = 64) -> Tensor:
    """Smooth pictures that differ from frame to frame, uint8 (t, 3, h, w)."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    steps = torch.arange(count).view(-1, 1, 1)
    grey = 128 + 90 * torch.sin(columns / 9 + steps / 5) * torch.cos(rows / 7)
    return grey.round().byte()[:, None].expand(-1, 3, -1, -1).contiguous()


def expected(frames: Tensor) -> Tensor:
    return Counting()(frames[:-1], frames[1:])


def stored(folder: Path, frames: Tensor, maker: Any = None, **how: Any) -> StoredFlow:
    form = how.get("format", "video")
    target = folder / ("a.flow.mp4" if form == "video" else "a")
    store_flow(Video(frames), target, maker or Counting(), Storing(**how), work=folder / "work")
    return open_flow(target)


@pytest.mark.parametrize("format", ["video", "jpeg"])
@pytest.mark.parametrize("size", [(48, 64), (121, 77), (16, 16), (33, 250)])
def test_what_is_read_is_what_was_computed(tmp_path: Path, format: str, size: tuple[int, int]) -> None:
    frames = film(26, *size)
    with stored(tmp_path, frames, format=format) as flow:
        assert (flow.num_fields, flow.num_frames, flow.height, flow.width) == (25, 26, *size)
        assert (flow.method, flow.bound, flow.fps, flow.format) == ("counting", 20.0, 30, format)
        error = flow.fields(range(25)) - expected(frames)
    assert error.abs().max() < 1.0
    assert error.square().mean().sqrt() < 0.12
    assert error.mean().abs() < 0.02
    assert not (tmp_path / "work").exists()


def test_a_lossless_film_keeps_every_level(tmp_path: Path) -> None:
    frames = film()
    with stored(tmp_path, frames, quality=0) as flow:
        levels = flow.levels(range(29))
    theirs = np.round((expected(frames).numpy() + 20) * 255 / 40)
    assert np.abs(levels.numpy() - theirs).max() <= 1
    assert (levels.numpy() == theirs).mean() > 0.99


@pytest.mark.parametrize("format", ["video", "jpeg"])
def test_fields_come_in_any_order_and_out_of_range_is_the_last(tmp_path: Path, format: str) -> None:
    with stored(tmp_path, film(), format=format) as flow:
        every = flow.levels(range(29))
        wanted = [28, 3, 3, 29, 1000, -5, 14]
        assert torch.equal(flow.levels(wanted), every[[28, 3, 3, 28, 28, 0, 14]])
        assert torch.equal(flow.levels(torch.tensor(wanted)), flow.levels(np.array(wanted)))
        assert flow.levels([]).shape == (0, 2, 48, 64)
        again = pickle.loads(pickle.dumps(flow))
        assert torch.equal(again.levels([7]), every[[7]])
        with pytest.raises(ValueError, match="frame numbers are whole numbers"):
            flow.levels(torch.tensor([0.5]))


def test_another_size_scales_the_values(tmp_path: Path) -> None:
    with stored(tmp_path, film()) as flow:
        plain, half = flow.fields([4]), flow.fields([4], short_side=24)
        assert half.shape == (1, 2, 24, 32)
        assert torch.allclose(half.mean(), plain.mean() / 2, atol=0.02)
        assert torch.equal(read_flow(flow.path, [4]), plain)


def test_size_and_error_are_told_truly(tmp_path: Path) -> None:
    frames, maker = film(), Counting()
    told = store_flow(Video(frames), tmp_path / "a.flow.mp4", maker, Storing(bound=5), work=tmp_path / "work")
    truth, within = expected(frames), expected(frames).abs() <= 5
    error = (read_flow(tmp_path / "a.flow.mp4", range(29)) - truth)[within]
    assert told.fields == 29
    assert told.bytes == (tmp_path / "a.flow.mp4").stat().st_size
    assert told.beyond == int((~within).sum())
    assert told.rms_px == pytest.approx(float(error.square().mean().sqrt()), rel=1e-3)
    assert told.worst_px == pytest.approx(float(error.abs().max()), rel=1e-3)
    assert f"{told.bytes / 29:.0f} bytes per field" in str(told)


@pytest.mark.parametrize("format", ["video", "jpeg"])
def test_interrupted_work_goes_on_at_the_last_whole_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    monkeypatch.setattr(parts_room, "_PART_PIXELS", 1)
    assert part_length(48, 64) == 12
    frames = film(50)
    whole = (
        stored(tmp_path / "whole", frames, format=format) if (tmp_path / "whole").mkdir() is None else None
    )
    assert whole is not None
    target = tmp_path / whole.path.name

    def work(maker: Counting, stop_at: int = 1000) -> None:
        def proceed() -> None:
            if maker.pairs > stop_at:
                raise KeyboardInterrupt

        how = Storing(format=format)  # type: ignore[arg-type]
        store_flow(Video(frames), target, maker, how, work=tmp_path / "work", proceed=proceed)  # type: ignore[arg-type]

    first = Counting()
    with pytest.raises(KeyboardInterrupt):
        work(first, stop_at=30)
    assert not target.exists()
    with (tmp_path / "work" / "parts.jsonl").open("a") as file:
        file.write('{"fields": 12, "byt')  # what a power cut may leave
    second = Counting()
    work(second)
    assert first.pairs == 36  # the third part was being measured
    assert second.pairs == 49 - 24
    assert second.most == 12  # memory is that of one part
    files = [target] if target.is_file() else sorted(target.iterdir())
    same = [whole.path] if whole.path.is_file() else sorted(whole.path.iterdir())
    assert [file.name for file in files] == [file.name for file in same]
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in same]


def test_parts_of_another_video_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_room, "_PART_PIXELS", 1)

    class Stopping(Counting):
        def __call__(self, *pictures: Tensor, **rest: Any) -> Tensor:
            if self.pairs >= 12:
                raise KeyboardInterrupt
            return super().__call__(*pictures, **rest)

    with pytest.raises(KeyboardInterrupt):
        stored(tmp_path, film(), Stopping())
    other = Counting()
    stored(tmp_path, film(40), other)
    assert other.pairs == 39


def foreign(folder: Path, names: str, levels: np.ndarray[Any, Any], start: int = 1) -> Path:
    folder.mkdir(parents=True)
    for number, pair in enumerate(levels):
        for axis, plane in zip("xy", pair, strict=True):
            Image.fromarray(plane).save(folder / names.format(axis, start + number), quality=100)
    return folder


@pytest.mark.parametrize(
    ("names", "start"), [("{}_{:05d}.jpg", 1), ("flow_{}_{:05d}.jpg", 1), ("flow_{}_{:05d}.jpg", 0)]
)
def test_folders_of_mmaction2_are_read(tmp_path: Path, names: str, start: int) -> None:
    levels = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * 20 + np.array([0, 100], np.uint8).reshape(
        2, 1, 1
    )
    levels = np.broadcast_to(levels, (5, 2, 24, 32)).copy()
    folder = foreign(tmp_path / "rawframes" / "walk" / "a", names, levels, start)
    Image.new("RGB", (32, 24)).save(folder / "img_00001.jpg")
    flow = find_flow(tmp_path / "videos" / "walk" / "a.avi", tmp_path / "rawframes")
    assert flow is not None
    assert (flow.num_fields, flow.bound, flow.method) == (5, 20.0, None)
    assert (flow.levels(range(5)).int() - torch.from_numpy(levels).int()).abs().max() <= 1
    flow.check_frames(6)
    flow.check_frames(5)  # some tools say the last field twice
    with pytest.raises(VideoError, match="holds the flow of 6 frames, but the video has 9"):
        flow.check_frames(9)


@pytest.mark.parametrize("format", ["video", "jpeg"])
def test_flow_is_found_by_the_longest_common_place(tmp_path: Path, format: str) -> None:
    form: Any = format
    for place, count in (("walk/a", 5), ("a", 7), ("b.mp4", 9)):
        target = tmp_path / "flow" / (f"{place}.flow.mp4" if format == "video" else place)
        store_flow(Video(film(count)), target, Counting(), Storing(format=form), work=tmp_path / "work")  # type: ignore[arg-type]
    found = {
        name: find_flow(tmp_path / name, tmp_path / "flow")
        for name in ("clips/walk/a.mp4", "walk/a.avi", "fall/a.mp4", "a", "b.mp4", "b.avi", "c.mp4")
    }
    counts = {name: flow and flow.num_frames for name, flow in found.items()}
    assert counts == {
        "clips/walk/a.mp4": 5, "walk/a.avi": 5, "fall/a.mp4": 7, "a": 7, "b.mp4": 9, "b.avi": None, "c.mp4": None,
    }  # fmt: skip
    flow = found["fall/a.mp4"]
    assert flow is not None
    with pytest.raises(VideoError, match="flow of 7 frames, but the video has 8; it is of another video"):
        flow.check_frames(8)
    with pytest.raises(ValueError, match="no such folder of flow; make it: muybridge flow"):
        find_flow("a.mp4", tmp_path / "nowhere")


def test_damage_is_said_in_one_line(tmp_path: Path) -> None:
    film_at = stored(tmp_path, film()).path
    folder = stored(tmp_path, film(), format="jpeg").path
    cases: dict[str, Callable[[], Any]] = {}

    cut = tmp_path / "cut.flow.mp4"
    cut.write_bytes(film_at.read_bytes()[:-2000])
    cases[r"cut.flow.mp4: cut short"] = lambda: open_flow(cut)
    plain = tmp_path / "plain.flow.mp4"
    from muybridge.video.writer import write_video

    write_video(plain, film(3), fps=25)
    cases[r"plain.flow.mp4: a film without flow; .* NAME.flow.mp4"] = lambda: open_flow(plain)
    cases[r"nothing.flow.mp4: no such file"] = lambda: open_flow(tmp_path / "nothing.flow.mp4")
    (tmp_path / "empty").mkdir()
    cases[r"empty: no flow in it; wanted images such as x_00001.jpg"] = lambda: open_flow(tmp_path / "empty")
    for message, act in cases.items():
        with pytest.raises(VideoError, match=message) as raised:
            act()
        assert "\n" not in str(raised.value)

    (folder / "x_00003.jpg").write_bytes(b"\xff\xd8\xff broken")
    with open_flow(folder) as flow:
        flow.levels([0, 1, 3])
        with pytest.raises(VideoError, match=r"x_00003.jpg: cannot be decoded as an image; delete it"):
            flow.levels([2])
    (folder / "x_00003.jpg").unlink()
    with pytest.raises(VideoError, match="image 3 is there in one of x and y only"):
        open_flow(folder)
    (folder / "y_00003.jpg").unlink()
    with pytest.raises(VideoError, match="28 of 29 fields are there"):
        open_flow(folder)
    facts = json.loads((folder / "flow.json").read_text())
    for wrong, message in (
        ({"bound_px": 0}, "no sensible bound_px"),
        ({"fps": "1/0"}, "no sensible fps"),
        ({"muybridge_flow": 99}, "flow of version 99, this muybridge reads 1"),
    ):
        (folder / "flow.json").write_text(json.dumps(facts | wrong))
        with pytest.raises(VideoError, match=message):
            open_flow(folder)


def test_a_video_of_one_frame_and_bad_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="has a single frame; flow is made of two or more"):
        stored(tmp_path, film(1))
    for how, message in (
        ({"format": "gif"}, "no store format 'gif'; it is one of video, jpeg"),
        ({"short_side": 8}, "short_side is 8; give 16 pixels or more"),
        ({"quality": 52}, r"quality is 52; for video give 0 \(lossless\) to 51"),
        ({"format": "jpeg", "quality": 0}, r"quality is 0; for jpeg give 1 \(worst\) to 100"),
        ({"bound": 0.0}, "bound is 0.0; give the pixels"),
    ):
        with pytest.raises(ValueError, match=message):
            Storing(**how)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_identical_frames_are_at_rest_within_the_rounding_error(tmp_path: Path) -> None:
    class Still(Counting):
        def __call__(self, first: Tensor, second: Tensor, **rest: Any) -> Tensor:
            return torch.zeros(len(first), 2, *first.shape[2:])

    for format in ("video", "jpeg"):
        with stored(tmp_path, film(3), Still(), format=format) as flow:
            assert flow.fields([0, 1]).unique().tolist() == pytest.approx([20 / 255], abs=1e-4)
