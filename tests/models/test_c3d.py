from __future__ import annotations

import pytest
import torch

from muybridge.models import create_model

DAVIDEA = [
    (r"^conv(\d)\.", r"convs.conv\1a."),
    (r"^conv(\d[ab])\.", r"convs.conv\1."),
    (r"^fc8", "head.linear"),
]
MMACTION = [
    (r"^backbone\.conv(\d[ab])\.conv", r"convs.conv\1"),
    (r"^backbone\.", ""),
    (r"^cls_head\.fc_cls", "head.linear"),
]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "classes", "rules"), [("davidea_c3d", 487, DAVIDEA), ("mm_c3d", 101, MMACTION)]
)
def test_published_networks_give_their_published_output(name, classes, rules, reference, rename, assert_same):
    ref = reference(name)
    model = create_model("c3d", num_classes=classes).eval()
    model.load_state_dict(rename(ref.checkpoint, rules))
    with torch.no_grad():
        assert_same(model(ref.clip), ref.output)


@pytest.mark.parametrize(("padding", "numbers"), [(True, 8192), (False, 4608)])
def test_pool5_padding_sets_what_fc6_sees(padding, numbers):
    with torch.device("meta"):
        model = create_model("c3d", num_classes=3, pool5_padding=padding)
        assert model.fc6.in_features == numbers
        assert model(torch.empty(1, 3, 16, 112, 112)).shape == (1, 3)


@pytest.mark.parametrize("shape", [(8, 112, 112), (16, 128, 128), (16, 112, 96)])
def test_other_sizes_are_refused_with_the_right_one(shape):
    with torch.device("meta"):
        model = create_model("c3d", num_classes=3)
        with pytest.raises(ValueError, match="16 frames of 112x112"):
            model(torch.empty(1, 3, *shape))
