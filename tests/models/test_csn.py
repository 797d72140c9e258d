from __future__ import annotations

import pytest
import torch

from muybridge.models import create_model

# Parameters: MMAction2's and PyTorchVideo's tables. GFLOPs: the paper's, at its crop of 256.
PUBLISHED = {
    "ircsn_r50": {"millions": 13.13},
    "ircsn_r101": {"millions": 22.21, "gflops": 73.8},
    "ircsn_r152": {"millions": 29.70, "gflops": 96.7},
    "ipcsn_r101": {"gflops": 83.0},
    "ipcsn_r152": {"millions": 33.02, "gflops": 108.8},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_cost_is_the_published_one(name, assert_cost):
    assert_cost(name, size=256, **PUBLISHED[name])


@pytest.mark.parametrize(("name", "inside"), [("ircsn_r50", ("3x3x3",)), ("ipcsn_r50", ("1x1x1", "3x3x3"))])
def test_what_lies_between_the_outer_convolutions(name, inside):
    with torch.device("meta"):
        block = create_model(name, num_classes=2).stages[1][0]
    kernels = ["x".join(map(str, unit.conv.kernel_size)) for unit in block.branch]
    assert kernels == ["1x1x1", *inside, "1x1x1"]


@pytest.mark.parametrize("name", ["ircsn_r50", "ipcsn_r50"])
def test_no_channel_looks_at_another_through_space_or_time(name):
    """A change of one channel reaches that channel alone in the 3x3x3 convolution."""
    torch.manual_seed(0)
    unit = create_model(name, num_classes=2).stages[0][0].branch[-2].eval()
    maps = torch.rand(1, 64, 3, 5, 5)
    changed = maps.clone()
    changed[:, 7] += 1
    with torch.no_grad():
        moved = (unit.conv(changed) - unit.conv(maps)).abs().amax((0, 2, 3, 4))
    assert moved.nonzero().flatten().tolist() == [7]


def test_interaction_preserved_blocks_pass_negative_values_on():
    """Their second 1x1x1 convolution has no ReLU behind it; only the depthwise one has."""
    torch.manual_seed(0)
    branch = create_model("ipcsn_r50", num_classes=2).eval().stages[0][0].branch
    with torch.no_grad():
        signs = [unit(torch.randn(1, unit.conv.in_channels, 2, 6, 6)).min() < 0 for unit in branch]
    assert signs == [False, True, False, True]


@pytest.mark.parametrize("eps", [1e-3, 1e-5])
def test_eps_reaches_every_batch_norm(eps):
    """A channel without variance is scaled by 1 / sqrt(eps)."""
    with torch.device("meta"):
        model = create_model("ircsn_r50", num_classes=2, eps=eps)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm3d)]
    assert len(norms) == 1 + 3 * 16 + 4
    assert {norm.eps for norm in norms} == {eps}
