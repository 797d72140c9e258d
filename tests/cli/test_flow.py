"""`muybridge flow` as a person would type it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from muybridge.flow.store import find_flow
from muybridge.video.reader import Video
from muybridge.video.writer import write_video

pytest.importorskip("cv2", reason="needs the extra flow")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two small films of a texture that moves to the left by 2 pixels a frame, one of them broken."""
    folder = tmp_path / "clips" / "walk"
    folder.mkdir(parents=True)
    columns, rows = torch.arange(80.0), torch.arange(48.0)[:, None]
    wave = torch.stack([torch.sin((columns + 2 * i) / 5) * torch.cos(rows / 4) for i in range(8)])
    frames = (128 + 100 * wave).byte()[:, None].expand(-1, 3, -1, -1)
    write_video(folder / "left.mp4", frames, fps=25)
    (folder / "broken.mp4").write_bytes(b"\0" * 100)
    return folder.parent


def test_store_and_film_of_a_folder(muybridge: Callable[..., Any], clips: Path, tmp_path: Path) -> None:
    arguments = ("flow", clips, "--method", "farneback", "--store", tmp_path / "flow", "--workers", 1)
    ran = muybridge(*arguments, "--save", tmp_path / "films", "--beside", "--arrows")
    assert ran.code == 2
    assert ran.err.count("broken.mp4: not a video: it begins with zeros only") == 1
    assert "1 of 2 videos done" in ran.err
    assert "flow of 1 videos made, of 0 ready before" in ran.out
    assert re.search(r"stored: \S+ MB, \d+ bytes per field; error 0\.\d+ px rms, at most", ran.out)
    flow = find_flow(clips / "walk" / "left.mp4", tmp_path / "flow")
    assert flow is not None
    assert flow.num_frames == 8
    assert flow.fields([3])[0, 0, 12:36, 16:64].mean() == pytest.approx(-2, abs=0.3)
    with Video(tmp_path / "films" / "left.mp4") as film:
        assert len(film) == 8
    (clips / "walk" / "broken.mp4").unlink()
    ran = muybridge(*arguments)
    assert (ran.code, "flow of 0 videos made, of 1 ready before" in ran.out) == (0, True)


def test_one_video_as_film_and_picture(muybridge: Callable[..., Any], clips: Path, tmp_path: Path) -> None:
    video = clips / "walk" / "left.mp4"
    for method, name, options in (
        ("farneback", "a.mp4", ("--on-frame", "--set", "winsize=9")),
        ("dis", "a.png", ("--brightness", "--largest", 3)),
        ("lucas_kanade", "b.png", ()),
    ):
        ran = muybridge("flow", video, "--method", method, "--save", tmp_path / name, *options)
        assert (ran.code, ran.out) == (0, "")
        assert f"wrote {tmp_path / name}" in ran.err
        assert (tmp_path / name).stat().st_size > 1000


def test_mistakes_are_one_line(muybridge: Callable[..., Any], clips: Path, tmp_path: Path) -> None:
    video, out = clips / "walk" / "left.mp4", tmp_path / "out.mp4"
    still = write_video(tmp_path / "still.mp4", torch.zeros(1, 3, 48, 64, dtype=torch.uint8), fps=25)
    cases: dict[tuple[object, ...], str] = {
        (video,): "nothing to make: give --save flow.mp4, --store FOLDER, or both",
        (video, "--save", out, "--method", "farnback"): "did you mean 'farneback'?",
        (video, "--save", out, "--set", "pyr=3"): "farneback has no setting 'pyr'",
        (video, "--save", out, "--set", "levels"): "--set levels: wanted NAME=VALUE",
        (video, "--save", out, "--beside", "--on-frame"): "--beside and --on-frame exclude each other",
        (
            video,
            "--save",
            out,
            "--method",
            "tvl1",
            "--device",
            "cuda:99",
        ): "no device 'cuda:99' on this machine",
        (video, "--save", video): "is the video to be read; give the film of its flow another name",
        (video, "--save", "out.gif"): "out.gif: wanted a film (.mp4), a picture (.png) or a folder",
        (clips, "--save", out): "one file for 2 videos; give a folder instead",
        (video, "--save", tmp_path / "no" / "a.mp4"): "does not exist; make it first",
        (video, "--store", tmp_path / "s", "--bound", 0): "bound is 0.0; give the pixels",
        (video, "--store", tmp_path / "s", "--format", "gif"): "no store format 'gif'",
        (video, "--store", tmp_path / "s", "--method", "lucas_kanade"): "single points, which are not stored",
        (clips / "no.mp4", "--save", out): "no.mp4: no such file",
        (clips / "no.mp4", "--store", tmp_path / "s"): "no.mp4: no such file",
        (still, "--save", out): "still.mp4: has a single frame; flow is made of two or more",
        (still, "--store", tmp_path / "s"): "still.mp4: has a single frame; flow is made of two or more",
        (clips / "walk" / "broken.mp4", "--store", tmp_path / "s"): "it begins with zeros only",
    }
    for arguments, message in cases.items():
        how = () if "--method" in arguments else ("--method", "farneback")
        ran = muybridge("flow", *arguments, *how)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert message in ran.err, arguments
        assert ran.err.startswith("muybridge: ")
        assert ran.err.count("\n") == 1, ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clips", "still.mp4"]
