"""RAFT, the optical flow network of torchvision, with its published weights.

Teed, Deng 2020, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", https://arxiv.org/abs/2003.12039.
torchvision's weights were trained on FlyingChairs and FlyingThings3D (small) and then on Sintel, KITTI and HD1K too
(large); BSD-3-Clause. For the GPU: on one core of a CPU a pair of 340x256 takes seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from muybridge.flow.methods import Estimate
from muybridge.types import WeightsError

URLS = {
    "raft_small": "https://download.pytorch.org/models/raft_small_C_T_V2-01064c6d.pth",
    "raft_large": "https://download.pytorch.org/models/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
}
"""The names end in the first digits of the files' SHA-256."""
_STRIDE = 8
"""The network sees the picture at an eighth of its size."""
_LEAST_SIDE = 128
"""Its pyramid of correlations needs 16 of those."""
_CORRELATIONS = 2**30
"""Bytes of correlations, every place with every other, that are computed together."""


def pairs_at_once(pixels: int, device: torch.device) -> int:
    """Pairs of pictures of so many pixels that are computed together: their correlations fill a gigabyte at most."""
    places = max(pixels, _LEAST_SIDE**2) / _STRIDE**2
    return min(max(int(_CORRELATIONS / (4 / 3 * 4 * places**2)), 1), 4 if device.type == "cpu" else 64)


def open_raft_small(
    *, device: torch.device | None = None, weights: str | Path | None = None, updates: int = 12
) -> Estimate:
    """The small network, 1.0 M parameters.

    Args:
        device: Where it is loaded to; None: to wherever the pictures are.
        weights: A file in place of the published one.
        updates: How often the flow is refined; fewer are faster.

    Raises:
        ValueError: No update.
        WeightsError: The weights can't be had, or aren't RAFT's.
    """
    return _open("raft_small", device, weights, updates)


def open_raft_large(
    *, device: torch.device | None = None, weights: str | Path | None = None, updates: int = 12
) -> Estimate:
    """The large network, 5.3 M parameters; the rest as in `open_raft_small`."""
    return _open("raft_large", device, weights, updates)


def _open(name: str, device: torch.device | None, weights: str | Path | None, updates: int) -> Estimate:
    import torchvision.models.optical_flow as published

    if updates < 1:
        raise ValueError(f"updates is {updates}; it must be at least 1")
    network = getattr(published, name)(weights=None)
    _fill(network, name, weights)
    return _RAFT(network.eval().requires_grad_(False).to(device), updates)


class _RAFT:
    def __init__(self, network: nn.Module, updates: int) -> None:
        self.network = network
        self.updates = updates

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Flow of all pairs, float32 `(n, c, h, w)` 0..255 twice -> `(n, 2, h, w)`."""
        height, width = first.shape[2:]
        left, right = _margins(width)
        top, bottom = _margins(height)
        pictures = [_fed(pictures, (left, right, top, bottom)) for pictures in (first, second)]
        if (device := first.device) != next(self.network.parameters()).device:
            self.network.to(device)
        # Every refinement comes out; only the last one counts.
        found: Tensor = self.network(*pictures, num_flow_updates=self.updates)[-1]
        return found[..., top : top + height, left : left + width]


def _fed(pictures: Tensor, margins: tuple[int, int, int, int]) -> Tensor:
    """RGB -1..1, the edge repeated on all sides until the network can take it."""
    return F.pad(pictures.expand(-1, 3, -1, -1) / 127.5 - 1, margins, mode="replicate")


def _margins(side: int) -> tuple[int, int]:
    missing = max(-(-side // _STRIDE) * _STRIDE, _LEAST_SIDE) - side
    return missing // 2, missing - missing // 2


def _fill(network: nn.Module, name: str, given: str | Path | None) -> None:
    from muybridge.weights.containers import open_file
    from muybridge.weights.fetch import fetch_url

    if given is None:
        url = URLS[name]
        path = fetch_url(url, sha256=Path(url).stem.rpartition("-")[2], name=f"the weights of {name}")
    else:
        path = Path(given)
    state: dict[str, Any] = dict(open_file(path).state)
    wanted = network.state_dict()
    wrong = sorted(wanted.keys() ^ state.keys()) or [
        key for key in wanted if wanted[key].shape != state[key].shape
    ]
    if wrong:
        raise WeightsError(
            f"{path}: not the weights of torchvision's {name} ({wrong[0]} doesn't fit); "
            f"give the file of {URLS[name]}"
        )
    network.load_state_dict(state)
