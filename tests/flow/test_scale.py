from __future__ import annotations

import numpy as np
import pytest
import torch

from muybridge.flow.scale import from_levels, from_unit, resize_flow, rounding_error_px, to_levels, to_unit


def test_levels_are_those_of_the_field() -> None:
    """MMAction2's tools/misc/flow_extraction.py: truncate, shift, scale, round (in numpy)."""
    flow = torch.linspace(-30, 30, 2401)
    clipped = np.clip(flow.double().numpy(), -20, 20)
    theirs = np.round((clipped + 20) * 255 / 40)
    assert np.abs(to_levels(flow).numpy() - theirs).max() <= 1  # a half may fall to either side
    assert (to_levels(flow).numpy() == theirs).mean() > 0.99
    assert to_levels(torch.tensor([-20.0, -99.0, 20.0, 99.0])).tolist() == [0, 0, 255, 255]


def test_the_rounding_error_is_half_a_step() -> None:
    assert rounding_error_px(20) == pytest.approx(40 / 255 / 2)
    flow = torch.linspace(-20, 20, 10_001)
    error = (from_levels(to_levels(flow)) - flow).abs().max()
    assert 0.077 < error <= rounding_error_px() + 1e-5
    assert to_levels(torch.zeros(1)).item() == 128
    assert from_levels(torch.tensor([128], dtype=torch.uint8)).item() == pytest.approx(0.0784, abs=1e-4)


def test_another_bound_is_finer_or_coarser() -> None:
    flow = torch.tensor([-5.0, 1.25, 5.0, 9.0])
    assert to_levels(flow, bound=5).tolist() == [0, 159, 255, 255]
    assert from_levels(to_levels(flow, bound=5), bound=5).tolist() == pytest.approx(
        [-5, 1.235, 5, 5], abs=1e-3
    )
    for bound in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="bound is .*; give the pixels"):
            to_levels(flow, bound=bound)


def test_unit_values() -> None:
    assert to_unit(torch.tensor([-40.0, -10.0, 0.0, 5.0, 20.0])).tolist() == [-1, -0.5, 0, 0.25, 1]
    assert from_unit(torch.tensor([-1.0, 0.25])).tolist() == [-20, 5]


def test_a_resized_field_is_the_flow_of_resized_pictures() -> None:
    """A zoom about the origin, u = x / 10, looks the same at every size: u(x) = x / 10 in pixels of that size."""
    columns, rows = torch.arange(80) + 0.5, torch.arange(60) + 0.5
    field = torch.stack([columns.expand(60, 80), rows[:, None].expand(60, 80)])[None] / 10
    small = resize_flow(field, (30, 20))
    assert small.shape == (1, 2, 30, 20)
    inside = small[0, 0, 3:-3, 3:-3]
    assert torch.allclose(inside, ((torch.arange(20) + 0.5) / 10)[3:-3].expand_as(inside), atol=1e-3)
    assert torch.allclose(small[0, 1, 3:-3, 4], ((torch.arange(30) + 0.5) / 10)[3:-3], atol=1e-3)
    assert torch.equal(resize_flow(field, (60, 80)), field)
