from __future__ import annotations

import pytest
import torch
from torchvision.utils import flow_to_image

from muybridge.flow.colour import colour_flow, colour_wheel, largest_motion


def one(x: float, y: float) -> torch.Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1)


def test_the_colours_are_those_of_baker_as_torchvision_draws_them() -> None:
    flow = torch.randn(3, 2, 40, 50, generator=torch.Generator().manual_seed(0)) * 5
    longest = float(torch.linalg.vector_norm(flow, dim=1).max())
    difference = colour_flow(flow, largest=longest).int() - flow_to_image(flow).int()
    assert difference.abs().max() <= 1


@pytest.mark.parametrize(
    ("x", "y", "name", "channels"),
    [(1, 0, "red", "R"), (0, 1, "yellow", "RG"), (-1, 0, "cyan", "GB"), (0, -1, "violet", "B")],
)
def test_directions(x: float, y: float, name: str, channels: str) -> None:
    colour = colour_flow(one(x, y), largest=1).flatten().tolist()
    assert {"RGB"[i] for i in range(3) if colour[i] > 200} == set(channels), name


def test_length_is_saturation_or_brightness() -> None:
    assert colour_flow(one(0, 0), largest=4).flatten().tolist() == [255, 255, 255]
    assert colour_flow(one(0, 0), largest=4, magnitude="brightness").flatten().tolist() == [0, 0, 0]
    assert colour_flow(one(2, 0), largest=4).flatten().tolist() == [255, 127, 127]
    assert colour_flow(one(2, 0), largest=4, magnitude="brightness").flatten().tolist() == [127, 0, 0]
    full = [colour_flow(one(x, 0), largest=4, magnitude="brightness").tolist() for x in (4, 400)]
    assert full[0] == full[1]


def test_one_scale_is_for_all_fields() -> None:
    both = colour_flow(torch.cat([one(2, 0), one(8, 0)]), largest=8)
    assert torch.equal(both[0], colour_flow(one(2, 0), largest=8)[0])
    assert not torch.equal(both[0], both[1])


def test_wild_values_do_not_set_the_scale() -> None:
    flow = torch.zeros(1, 2, 100, 100)
    flow[:, 0, 40:60, 40:60] = 3.0
    assert largest_motion(flow) == pytest.approx(3.0)
    flow[0, 0, 50, 50:60] = 1000.0
    flow[0, 1, 0, 0] = float("nan")
    assert largest_motion(flow) == pytest.approx(3.0)
    assert largest_motion(torch.full((1, 2, 4, 4), 0.1)) == 1.0  # noise is no motion
    assert colour_flow(flow)[0, :, 0, 0].tolist() == [128, 128, 128]


def test_the_wheel_shows_each_direction_where_it_points() -> None:
    wheel = colour_wheel(101)
    assert wheel.shape == (3, 101, 101)
    assert wheel[:, 50, 50].min() > 245
    for row, column, x, y in ((50, 100, 1, 0), (100, 50, 0, 1), (50, 0, -1, 0), (0, 50, 0, -1)):
        expected = colour_flow(one(x, y), largest=1)[0, :, 0, 0].int()
        assert (wheel[:, row, column].int() - expected).abs().max() < 12
    assert wheel[:, 0, 0].tolist() == [255, 255, 255]
    assert colour_wheel(101, magnitude="brightness")[:, 0, 0].tolist() == [0, 0, 0]


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"must be \(n, 2, h, w\).*\(2, 5, 5\)"):
        colour_flow(torch.zeros(2, 5, 5))
    with pytest.raises(ValueError, match="largest is 0; give the pixels"):
        colour_flow(one(1, 1), largest=0)
    with pytest.raises(ValueError, match="no magnitude 'hue'; it is one of saturation, brightness"):
        colour_flow(one(1, 1), magnitude="hue")  # type: ignore[arg-type]
