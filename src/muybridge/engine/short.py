"""A fault of half precision on CPUs, gone round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn


@contextmanager
def short_clips_in_float32(model: nn.Module) -> Iterator[None]:
    """While it lasts, convolutions over clips shorter than their kernel compute in float32 on the CPU.

    In bfloat16 the gradient of a padded `Conv3d`'s weights is garbage there (1e27, or no number at all: memory that was
    never written) where a clip has fewer frames than the kernel; clipping the norm then shrinks all other gradients
    to nothing. Seen with torch 2.15 (oneDNN, AVX512-bf16) for kernels of 3 frames at 2, of 5 at 2 to 4. Such maps
    are small, so float32 costs little.
    """
    longer = [m for m in model.modules() if isinstance(m, nn.Conv3d) and m.kernel_size[0] > 1]
    for convolution in longer:
        convolution.forward = partial(_forward, convolution)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for convolution in longer:
            del convolution.forward


def _forward(convolution: nn.Conv3d, maps: Tensor) -> Tensor:
    answer = type(convolution).forward
    frames = maps.shape[2]
    if frames >= convolution.kernel_size[0] or maps.is_cuda or not torch.is_autocast_enabled("cpu"):
        return answer(convolution, maps)
    with torch.autocast("cpu", enabled=False):
        return answer(convolution, maps.float()).to(torch.get_autocast_dtype("cpu"))
