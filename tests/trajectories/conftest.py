"""Films whose motion is known; a fixture, because test files can't import one another."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from muybridge.video.writer import VideoWriter

Picture = NDArray[np.uint8]


class Films:
    """Pictures, and films of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def texture(height: int, width: int, seed: int = 0) -> Picture:
        """Smooth noise: corners everywhere, no two places alike."""
        import cv2

        noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
        return np.clip(128 + 40 * smooth / smooth.std(), 0, 255).astype(np.uint8)

    @staticmethod
    def moved(picture: Picture, x: float, y: float = 0.0) -> Picture:
        """A picture shifted to the right and down; what leaves at one side comes in at the other."""
        import cv2

        height, width = picture.shape
        columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        return cv2.remap(picture, columns - x, rows - y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)

    def square(
        self, *, size: int = 96, side: int = 36, frames: int = 20, own: float = 2.0, pan: float = 0.0
    ) -> list[Picture]:
        """A textured square that crosses a textured ground at `own` pixels per frame, while the camera pans so that
        all moves by `pan` more."""
        ground, patch = self.texture(size, 2 * size, 1), self.texture(side, side, 2)
        pictures = []
        for number in range(frames):
            picture = self.moved(ground, pan * number)[:, :size].copy()
            left, top = round(4 + (own + pan) * number), (size - side) // 2
            shown = patch[:, : max(0, size - left)]
            picture[top : top + side, left : left + shown.shape[1]] = shown
            pictures.append(picture)
        return pictures

    @staticmethod
    def tensor(pictures: list[Picture]) -> torch.Tensor:
        """Grey pictures as a video, uint8 `(t, 3, h, w)`."""
        return torch.from_numpy(np.stack(pictures))[:, None].expand(-1, 3, -1, -1).contiguous()

    def write(self, pictures: list[Picture], name: str = "film.mp4") -> Path:
        """Grey pictures as an MP4."""
        path = self.folder / name
        with VideoWriter(path, fps=Fraction(25), crf=8) as writer:
            for frame in self.tensor(pictures):
                writer.write(frame)
        return path


@pytest.fixture
def films(tmp_path: Path) -> Films:
    """Films with known motion."""
    pytest.importorskip("cv2", reason="needs the extra classic")
    return Films(tmp_path)
