"""`muybridge data prepare` as a person would type it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from muybridge.video.writer import write_video


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two small films, one of them broken."""
    folder = tmp_path / "data" / "walk"
    folder.mkdir(parents=True)
    frames = torch.arange(20, dtype=torch.uint8)[:, None, None, None].mul(10).expand(20, 3, 48, 64)
    write_video(folder / "whole.mp4", frames, fps=25)
    (folder / "broken.mp4").write_bytes(b"\0" * 100)
    return folder.parent


def test_the_gain_is_printed_and_broken_films_give_code_2(
    muybridge: Callable[..., Any], data: Path, tmp_path: Path
) -> None:
    ran = muybridge("data", "prepare", data, tmp_path / "out", "--short-side", 32, "--workers", 1)
    assert ran.code == 2
    assert "films encoded 1, ready before 0" in ran.out
    assert re.search(r"size: \S+ -> \S+ MB, \d+\.\d\dx", ran.out)
    assert re.search(
        r"speed: \S+ -> \S+ random clips a second, \d+\.\dx \(16 frames, every 4th, short side 32", ran.out
    )
    assert "broken.mp4: not a video: it begins with zeros only" in ran.out
    (data / "walk" / "broken.mp4").unlink()
    ran = muybridge("data", "prepare", data, tmp_path / "out", "--short-side", 32, "--workers", 1)
    assert (ran.code, "films encoded 0, ready before 1" in ran.out) == (0, True)


def test_mistakes_are_one_line(muybridge: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    cases = {
        ("--gop", "12", "--intra"): "--gop and --intra exclude each other",
        ("--fps", "fast"): "--fps fast: no rate; write 30, 12.5 or 30000/1001",
        ("--crf", "99"): "crf is 99; give 0",
    }
    for options, message in cases.items():
        ran = muybridge("data", "prepare", data, tmp_path / "out", *options)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("muybridge: ")
        assert message in ran.err
        assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()
