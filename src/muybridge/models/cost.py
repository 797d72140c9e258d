"""What a model costs: parameters, and arithmetic per view."""

from __future__ import annotations

from itertools import chain

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from muybridge.models._blocks import ClipModel
from muybridge.types import ClipSpec


def count_parameters(model: nn.Module) -> int:
    """Number of learnable values, frozen ones included."""
    return sum(parameter.numel() for parameter in model.parameters())


def count_gflops(model: ClipModel, clip: ClipSpec) -> float:
    """Billions of multiply-accumulates for one view (one crop of one clip).

    The field says GFLOPs and counts a multiplication with its addition as one; so does this, for
    convolutions, linear layers and attention. Nothing is computed and the model is left alone: only shapes
    go through it.

    Args:
        model: A model.
        clip: How it is fed; `frames` and `size` matter.

    Raises:
        ValueError: The model does not take clips of that size.
    """
    shapes_only = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in chain(model.named_parameters(), model.named_buffers())
    }
    view = torch.empty(1, model.channels, clip.frames, clip.size, clip.size, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        functional_call(model, shapes_only, (view,))
    return float(counter.get_total_flops()) / 2 / 1e9
