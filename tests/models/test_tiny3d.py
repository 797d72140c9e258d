from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from muybridge.models import create_model


def squares(labels: Tensor, generator: torch.Generator) -> Tensor:
    """A bright square on a background of noise, walking left (0) or right (1) from anywhere."""
    clips = torch.rand(len(labels), 3, 1, 32, 32, generator=generator).repeat(1, 1, 8, 1, 1)
    for clip, label in zip(clips, labels.tolist(), strict=True):
        top, left = torch.randint(0, 26, (2,), generator=generator).tolist()
        for frame in range(8):
            columns = (torch.arange(6) + left + 2 * frame * (1 if label else -1)) % 32
            clip[:, frame, top : top + 6, columns] = 2.0
    return clips - 0.5


def test_learns_the_direction_of_motion_from_scratch():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = create_model("tiny3d", num_classes=2)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for _ in range(40):
        labels = torch.randint(0, 2, (8,), generator=generator)
        loss = cross_entropy(model(squares(labels, generator)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    labels = torch.arange(40) % 2
    model.eval()
    with torch.no_grad():
        right = (model(squares(labels, generator)).argmax(1) == labels).float().mean().item()
    assert right >= 0.9  # where it starts is random, so one frame tells nothing: chance is 0.5


def test_width_scales_the_network():
    thin, wide = (create_model("tiny3d", num_classes=2, width=width) for width in (2, 8))
    assert (thin.dim, wide.dim) == (16, 64)
    with pytest.raises(ValueError, match="width is 1"):
        create_model("tiny3d", width=1)
