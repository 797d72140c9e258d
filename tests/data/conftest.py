"""Small films for the tests of data sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from muybridge.video.writer import VideoWriter

Film = Callable[..., Path]


@pytest.fixture(scope="session")
def film() -> Film:
    """film(path, seed=0, frames=12, height=36, width=48, crf=20) writes noise that drifts, and returns the path."""

    def write(
        path: Path, seed: int = 0, frames: int = 12, height: int = 36, width: int = 48, crf: int = 20
    ) -> Path:
        generator = torch.Generator().manual_seed(seed)
        coarse = torch.rand(1, 3, 6, 8, generator=generator)
        still = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")[0].mul(255).byte()
        path.parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(path, fps=10, crf=crf, threads=1) as writer:
            for t in range(frames):
                writer.write(still.roll(2 * t, dims=2))
        return path

    return write
