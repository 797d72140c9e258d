"""Error measures at cases that can be worked out by hand, and pairs whose flow is known."""

from __future__ import annotations

import math

import pytest
import torch

from muybridge.flow import angular_error, end_point_error, photometric_error, warp
from muybridge.flow.truth import MOTIONS, make_pair, make_pairs


def field(x: float, y: float) -> torch.Tensor:
    return torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).expand(1, 2, 4, 5)


def test_end_point_error_is_a_distance() -> None:
    assert end_point_error(field(3, 4), field(0, 0)).tolist() == [5.0]
    found = torch.cat([field(3, 4)[..., :1], field(0, 0)[..., 1:]], -1)
    mask = torch.zeros(1, 4, 5, dtype=torch.bool)
    mask[:, :, 0] = True
    assert end_point_error(found, field(0, 0)).tolist() == [1.0]
    assert end_point_error(found, field(0, 0), mask).tolist() == [5.0]
    assert math.isnan(end_point_error(found, field(0, 0), ~mask & mask).item())


def test_angular_error_is_an_angle_in_space_and_time() -> None:
    assert angular_error(field(1, 0), field(0, 0)).item() == pytest.approx(45)
    assert angular_error(field(1, 0), field(0, 1)).item() == pytest.approx(60)
    assert angular_error(field(2, 1), field(2, 1)).item() == pytest.approx(0, abs=1e-6)


def test_warp_brings_the_second_picture_back() -> None:
    second = torch.arange(20.0).view(1, 1, 4, 5)
    moved, inside = warp(second, field(1, 0))
    assert torch.equal(moved[..., :4], second[..., 1:])
    assert inside[0, :, :4].all()
    assert not inside[0, :, 4].any()
    moved, _ = warp(second.byte(), field(0, 0.5))
    assert moved[0, 0, 0, 0] == 2.5


def test_photometric_error_leaves_out_what_leaves_the_picture() -> None:
    first = torch.zeros(1, 3, 4, 5)
    second = first.clone()
    second[..., 0] = 100  # nothing leads there
    assert photometric_error(first, second, field(1, 0)).tolist() == [0.0]
    assert photometric_error(first, second, field(0, 0)).tolist() == [20.0]


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must both be \(n, 2, h, w\)"):
        end_point_error(field(0, 0), field(0, 0)[:, :1])
    with pytest.raises(ValueError, match=r"the mask must be \(1, 4, 5\)"):
        end_point_error(field(0, 0), field(0, 0), torch.ones(4, 5, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"need flow \(n, 2, h, w\)"):
        warp(torch.zeros(1, 1, 4, 4), field(0, 0))


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_truth_explains_the_second_picture(motion: str) -> None:
    pair = make_pair(motion, size=(60, 80))
    moved, inside = warp(pair.second[None], pair.flow[None])
    assert (pair.visible & ~inside[0]).sum() == 0
    off = (moved[0, 0] - pair.first[0].float()).abs()
    whole = bool((pair.flow == pair.flow.round()).all())
    # Bilinear interpolation of the finest waves is off by some levels; whole steps are exact to their rounding.
    assert off[pair.visible].mean() < (0.01 if whole else 3)
    assert pair.first.float().std() > 30


def test_the_square_hides_some_of_its_ground() -> None:
    pair = make_pair("square", size=(60, 80))
    assert sorted({tuple(v) for v in pair.flow.flatten(1).T.tolist()}) == [(-1.0, 0.0), (4.0, 2.0)]
    side = 20
    # It moves by 5 and 2 seen from the ground.
    hidden = (~pair.visible[5:-5, 5:-5]).sum().item()
    assert hidden == side * side - (side - 5) * (side - 2)


def test_pairs_are_the_same_every_time() -> None:
    one, two = make_pair("zoom", size=(20, 30), seed=4), make_pair("zoom", size=(20, 30), seed=4)
    assert torch.equal(one.second, two.second)
    assert not torch.equal(one.second, make_pair("zoom", size=(20, 30), seed=5).second)
    assert [pair.motion for pair in make_pairs(size=(16, 16), seeds=2)] == [
        m for m in MOTIONS for _ in (0, 1)
    ]
    with pytest.raises(ValueError, match="there is no motion 'spin'; there are translation"):
        make_pair("spin")
