from __future__ import annotations

import pytest
import torch

from muybridge.models import create_model
from muybridge.models.cost import count_parameters
from muybridge.models.x3d import SqueezeExcitation, X3d

# Parameters: PyTorchVideo's table. GFLOPs: PySlowFast's, at the training crop.
PUBLISHED = {
    "x3d_xs": {"millions": 3.79, "gflops": 0.60},
    "x3d_s": {"millions": 3.79, "gflops": 1.96},
    "x3d_m": {"millions": 3.79, "gflops": 4.73},
    "x3d_l": {"millions": 6.15, "gflops": 18.37},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_cost_is_the_published_one(name, assert_cost):
    assert_cost(name, **PUBLISHED[name])


def test_the_first_shortcut_has_a_norm_or_not():
    """3 794 322 parameters by MMAction2's count of PySlowFast's network; a norm of 24 channels has 48."""
    with torch.device("meta"):
        counts = [count_parameters(create_model("x3d_m", shortcut_norm=norm)) for norm in (True, False)]
    assert counts == [3_794_322, 3_794_322 - 48]


@pytest.mark.parametrize("norm", [True, False])
def test_only_the_first_shortcut_is_about_norms(norm):
    with torch.device("meta"):
        keys = create_model("x3d_s", shortcut_norm=norm).state_dict()
    stages = [stage for stage in range(4) if f"stages.{stage}.0.shortcut.norm.weight" in keys]
    assert stages == [0, 1, 2, 3] if norm else [1, 2, 3]


def test_widths_are_rounded_to_eights_but_never_down_by_more_than_a_tenth():
    """A sixteenth of 54, 108, 216 and 432 channels is 3.4, 6.8, 13.5 and 27: 24 would be too few of the last."""
    with torch.device("meta"):
        model = create_model("x3d_xs")
    assert [stage[0].branch[1].squeeze.reduce.out_channels for stage in model.stages] == [8, 8, 16, 32]


def test_factors_expand_width_and_depth():
    """Width 1: 12 channels round to 16, 24, 48 and 96 stay; depth 1.1 of 1, 2, 5 and 3 blocks rounds up."""
    with torch.device("meta"):
        model = X3d(num_classes=2, width=1.0, bottleneck=3.0, depth=1.1, shortcut_norm=True, dropout=0.0)
        maps = model.features(torch.empty(1, 3, 4, 64, 64))
    assert [len(stage) for stage in model.stages] == [2, 3, 6, 4]
    assert [stage[0].branch[2].conv.out_channels for stage in model.stages] == [16, 24, 48, 96]
    assert maps.shape == (1, 288, 4, 2, 2)


def test_every_second_block_is_squeezed():
    with torch.device("meta"):
        keys = create_model("x3d_xs").state_dict()
    squeezed = [block for block in range(11) if f"stages.2.{block}.branch.1.squeeze.reduce.weight" in keys]
    assert squeezed == [0, 2, 4, 6, 8, 10]


def test_an_undecided_squeeze_halves():
    squeeze = SqueezeExcitation(24)
    torch.nn.init.zeros_(squeeze.expand.weight)
    torch.nn.init.zeros_(squeeze.expand.bias)
    maps = torch.randn(2, 24, 3, 4, 5)
    with torch.no_grad():
        torch.testing.assert_close(squeeze(maps), maps / 2)


def test_time_is_kept_to_the_end():
    with torch.device("meta"):
        maps = create_model("x3d_s").features(torch.empty(1, 3, 13, 160, 160))
    assert maps.shape == (1, 432, 13, 5, 5)


def test_the_classifier_sees_2048_rectified_features():
    torch.manual_seed(0)
    model = create_model("x3d_xs", num_classes=3).eval()
    seen = []
    model.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(torch.randn(1, 3, 4, 64, 64))
    assert seen[0].shape == (1, 2048)
    assert seen[0].min() == 0
