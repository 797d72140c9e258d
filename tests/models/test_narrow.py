"""Narrow versions of the papers' networks, for small data and small machines: the same wiring, fewer channels."""

from __future__ import annotations

import pytest
import torch

from muybridge.models import create_model
from muybridge.models.cost import count_parameters

NARROW = {
    "c3d": ({"size": 64, "width": 0.25}, (16, 64, 64), 128),
    "c3d_bn": ({"size": 80, "width": 0.25, "pool5_padding": False}, (16, 80, 80), 128),
    "deepvideo_single": ({"size": 80, "width": 0.25}, (1, 80, 80), 64),
    "deepvideo_slow": ({"size": 64, "width": 0.5}, (10, 64, 64), 128),
    "i3d_rgb": ({"width": 0.25}, (16, 64, 64), 256),
    "i3d_flow": ({"width": 0.125}, (16, 64, 64), 128),
    "slowfast_r50_4x16": ({"width": 16, "beta": 0.25}, (16, 64, 64), 32 * 16 + 32 * 4),
}


@pytest.mark.parametrize("name", NARROW)
def test_a_narrow_network_takes_its_own_size_and_is_as_wide_as_asked(name):
    options, size, dim = NARROW[name]
    with torch.device("meta"):
        model = create_model(name, num_classes=5, **options)
        clip = torch.empty(2, model.channels, *size)
        assert model(clip).shape == (2, 5)
        assert model.features(clip).shape[1] == model.dim == dim


def test_half_the_width_has_a_quarter_of_the_weights():
    with torch.device("meta"):
        whole = count_parameters(create_model("i3d_rgb"))
        half = count_parameters(create_model("i3d_rgb", width=0.5))
    assert half / whole == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("i3d_rgb", {"width": 0.01}, "width is 0.01"),
        ("c3d", {"size": 16}, "at least 32"),
        ("deepvideo_late", {"size": 20}, "at least 32"),
        ("c3d", {"width": 0}, "width is 0"),
    ],
)
def test_too_narrow_or_too_small_is_told(name, options, text):
    with pytest.raises(ValueError, match=text), torch.device("meta"):
        create_model(name, **options)
