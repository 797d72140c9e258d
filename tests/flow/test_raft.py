"""RAFT is torchvision's network with its published weights; no test downloads them."""

from __future__ import annotations

import hashlib
import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import optical_flow as published

from muybridge.flow import flow_between, open_method
from muybridge.flow.raft import URLS, pairs_at_once
from muybridge.types import WeightsError
from muybridge.weights.fetch import cache_path


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    return published.raft_small(weights=None).eval()


@pytest.fixture(scope="module")
def weights(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raft") / "raft_small.pth"
    torch.save(network.state_dict(), path)
    return path


def pictures(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    first, second = torch.randint(0, 256, (2, 2, 3, height, width), generator=rng, dtype=torch.uint8)
    return first, second


@torch.no_grad()
def test_the_same_as_torchvision(network: Any, weights: Path) -> None:
    first, second = pictures(128, 136)
    ours = flow_between(first, second, method="raft_small", weights=weights, updates=2)
    theirs = network(first / 127.5 - 1, second / 127.5 - 1, num_flow_updates=2)[-1]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("size", [(16, 16), (129, 150), (1, 1)])
def test_any_size_by_repeating_the_edge(network: Any, weights: Path, size: tuple[int, int]) -> None:
    first, second = pictures(*size)
    ours = flow_between(first, second, method="raft_small", weights=weights, updates=1, chunk=1)
    assert ours.shape == (2, 2, *size)
    assert ours.isfinite().all()
    grey = flow_between(first[:, :1], second[:, :1], method="raft_small", weights=weights, updates=1)
    assert grey.shape == ours.shape


def test_published_weights_are_fetched_once(
    loopback: Any, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = weights.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:8]
    url = loopback.put(f"/models/raft_small_C_T_V2-{digest}.pth", content)
    monkeypatch.setitem(URLS, "raft_small", url)
    for _ in range(2):
        open_method("raft_small")
    assert len(loopback.asked) == 1
    loopback.put(f"/models/raft_small_C_T_V2-{digest}.pth", b"something else")
    cache_path(url).unlink()
    with pytest.raises(WeightsError, match="is not the published file"):
        open_method("raft_small")


def test_weights_of_another_network_are_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not the weights of torchvision's raft_large"):
        open_method("raft_large", weights=weights)
    with pytest.raises(WeightsError, match="no such file"):
        open_method("raft_small", weights=tmp_path / "none.pth")
    with pytest.raises(ValueError, match="updates is 0; it must be at least 1"):
        open_method("raft_small", weights=weights, updates=0)


def test_the_correlations_bound_the_pairs() -> None:
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert pairs_at_once(1920 * 1080, gpu) == 1
    assert pairs_at_once(340 * 256, gpu) == 64
    assert pairs_at_once(340 * 256, cpu) == 4
    places = math.prod((640 // 8, 360 // 8))
    assert 2**29 < pairs_at_once(640 * 360, gpu) * places**2 * 4 * 4 / 3 < 2**30


class Blocks(nn.Module):
    """A picture as blocks of 8x8 pixels, each a vector of length 1: what RAFT's network learns, done by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.known = nn.Parameter(torch.zeros(1))

    def forward(self, pictures: Tensor) -> Tensor:
        blocks = F.pixel_unshuffle(pictures, 8)
        return F.normalize(blocks - blocks.mean(1, keepdim=True), dim=1)


class Search(nn.Module):
    """Goes to every flow of up to 2 blocks, then back to where both pictures were most alike.

    It looks at the middle of the window alone, so it takes RAFT's word for which channel is x and which way it points.
    """

    hidden_state_size = 8
    places = tuple(product(range(-2, 3), repeat=2))

    def __init__(self) -> None:
        super().__init__()
        self.alike: list[Tensor] = []

    def forward(self, hidden: Tensor, context: Tensor, correlations: Tensor, flow: Tensor) -> Any:
        if (flow != 0).any() or self.alike:
            self.alike.append(correlations[:, 0])
        places = flow.new_tensor(self.places)
        if len(self.alike) < len(places):
            goal = places[len(self.alike)].view(1, 2, 1, 1)
        else:
            goal = places[torch.stack(self.alike).argmax(0)].permute(0, 3, 1, 2)
        return hidden, goal - flow


def test_raft_s_geometry_sees_left_as_minus_x(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The network of published weights, with its learnt parts replaced by what they learn."""
    by_hand = published.RAFT(
        feature_encoder=Blocks(),
        context_encoder=Blocks(),
        corr_block=published.raft.CorrBlock(num_levels=4, radius=0),
        update_block=Search(),
    )
    monkeypatch.setattr(published, "raft_small", lambda weights: by_hand)
    torch.save(by_hand.state_dict(), tmp_path / "by_hand.pth")
    scene = torch.randint(0, 256, (3, 176, 192), generator=torch.Generator().manual_seed(2)).byte()
    # What is at (x, y) in the first picture is at (x - 8, y + 16) in the second.
    first, second = scene[None, :, 16:160, 16:176], scene[None, :, :144, 24:184]
    found = flow_between(
        first, second, method="raft_small", weights=tmp_path / "by_hand.pth", updates=len(Search.places) + 1
    )
    middle = found[..., 24:-24, 24:-24]
    torch.testing.assert_close(middle, middle.new_tensor([-8.0, 16.0]).view(1, 2, 1, 1).expand_as(middle))


@pytest.mark.parametrize("name", list(URLS))
def test_published_raft_sees_left_as_minus_x(name: str) -> None:
    if not cache_path(URLS[name]).is_file():
        pytest.skip(f"the weights of {name} are not at {cache_path(URLS[name])}")
    from muybridge.flow.truth import make_pair

    pair = make_pair("translation", size=(128, 160))
    found = flow_between(pair.first[None], pair.second[None], method=name)[..., 24:-24, 24:-24]
    assert found.mean((0, 2, 3)).tolist() == pytest.approx([-3, 2], abs=0.3)
