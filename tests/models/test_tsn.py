from __future__ import annotations

import pytest
import torch
from torch import nn

from muybridge.models import create_model
from muybridge.models.tsn import Tsn

MMACTION = [
    (r"^backbone\.conv1\.conv", "backbone.conv1"),
    (r"^backbone\.conv1\.bn", "backbone.bn1"),
    (r"\.conv([123])\.conv", r".conv\1"),
    (r"\.conv([123])\.bn", r".bn\1"),
    (r"\.downsample\.conv", ".downsample.0"),
    (r"\.downsample\.bn", ".downsample.1"),
    (r"^cls_head\.fc_cls", "head.linear"),
]


@pytest.mark.shared
def test_published_network_gives_its_published_output(reference, rename, assert_same):
    ref = reference("mm_tsn_r50")
    model = create_model("tsn_r50").eval()
    model.load_state_dict(rename(ref.checkpoint, MMACTION))
    clip = ref.clip.transpose(0, 1)[None]  # theirs is frames (t, c, h, w)
    with torch.no_grad():
        assert_same(model(clip), ref.output)


@pytest.mark.parametrize(("consensus", "expected"), [("average", 2.0), ("max", 5.0)])
def test_consensus_is_over_the_segments_logits(consensus, expected):
    model = Tsn(nn.Identity(), dim=3, space_stride=1, num_classes=1, consensus=consensus, dropout=0.0).eval()
    nn.init.ones_(model.head.linear.weight)
    clip = torch.tensor([0.0, 5.0, 1.0]).reshape(1, 1, 3, 1, 1).repeat(1, 3, 1, 4, 4) / 3
    assert model(clip).item() == pytest.approx(expected)


def test_unknown_consensus_is_refused():
    with pytest.raises(ValueError, match="'average' or 'max'"):
        create_model("tsn_r50", consensus="vote")
