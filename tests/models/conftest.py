"""What the families' tests share: one thread, and how figures are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from muybridge.models import create_model, model_info
from muybridge.models.cost import count_gflops, count_parameters


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Tensor, Tensor], None]:
    """Equal within 1e-5 of the largest value."""

    def check(ours: Tensor, theirs: Tensor) -> None:
        assert ours.shape == theirs.shape
        difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
        assert difference <= 1e-5, f"differs by {difference:.1e} of the largest value"

    return check


@pytest.fixture(scope="session")
def assert_cost() -> Callable[..., None]:
    """Parameters and multiply-accumulates of one view against published figures, without computing anything."""

    def check(
        name: str,
        *,
        millions: float | None = None,
        gflops: float | None = None,
        size: int | None = None,
        frames: int | None = None,
        num_classes: int = 400,
        **options: Any,
    ) -> None:
        clip = model_info(name).clip
        size = size or clip.size
        clip = replace(clip, size=size, short_side=max(size, clip.short_side), frames=frames or clip.frames)
        with torch.device("meta"):
            model = create_model(name, num_classes=num_classes, **options)
        if millions is not None:
            assert count_parameters(model) / 1e6 == pytest.approx(millions, rel=0.005)
        if gflops is not None:
            assert count_gflops(model, clip) == pytest.approx(gflops, rel=0.01)

    return check
