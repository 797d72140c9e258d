from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from muybridge.engine.short import short_clips_in_float32


def gradient(convolution: nn.Conv3d, maps: Tensor, *, half: bool) -> Tensor:
    """Of the weights; what torch may have taken for free memory is full of NaN before."""
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        answer = convolution(maps)
    assert answer.dtype == (torch.bfloat16 if half else torch.float32)
    junk = [torch.full((2**power,), torch.nan) for power in range(10, 19) for _ in range(4)]
    del junk
    (found,) = torch.autograd.grad(answer.float().square().sum(), convolution.weight)
    return found.float()


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
@pytest.mark.parametrize("kernel", [(3, 3, 3), (5, 1, 1)])
def test_short_clips_have_gradients_in_half_precision(kernel: tuple[int, int, int], frames: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    padding = tuple(side // 2 for side in kernel)
    convolution = nn.Conv3d(16, 16, kernel, padding=padding, bias=False)
    maps = torch.randn(3, 16, frames, 7, 7)
    expected = gradient(convolution, maps, half=False)
    with short_clips_in_float32(nn.Sequential(convolution)):
        for _ in range(3):
            error = (gradient(convolution, maps, half=True) - expected).abs().max() / expected.abs().max()
            assert error.item() < 0.05
    assert "forward" not in vars(convolution)
