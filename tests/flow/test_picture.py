from __future__ import annotations

import pytest
import torch
from torch import Tensor

from muybridge.flow.picture import draw_arrows, draw_legend, draw_tracks, lay_over, nice_length

GREY = 128


def grey(height: int = 120, width: int = 160) -> Tensor:
    return torch.full((3, height, width), GREY, dtype=torch.uint8)


def drawn(picture: Tensor) -> Tensor:
    """Where something was drawn on grey: bool (h, w)."""
    return (picture != GREY).any(dim=0)


def moving(x: float, y: float, height: int = 60, width: int = 80) -> Tensor:
    return torch.tensor([x, y]).view(2, 1, 1).expand(2, height, width)


def test_what_rests_stays_and_what_moves_is_coloured() -> None:
    frame = torch.full((3, 60, 80), 100, dtype=torch.uint8)
    frame[0] = 200  # grey by ITU-R 601: 0.299 * 200 + 0.701 * 100 = 129.9
    field = torch.zeros(2, 60, 80)
    field[0, :, 40:] = 5.0
    over = lay_over(frame, field, largest=5.0)
    assert over[:, :, :40].unique().tolist() == [130]
    red, green, blue = over[:, 30, 60].tolist()
    assert red > 200
    assert max(green, blue) < 50


@pytest.mark.parametrize(("x", "y"), [(4, 0), (-4, 0), (0, 4), (0, -4)])
def test_arrows_point_where_it_goes(x: float, y: float) -> None:
    """The head has more ink than the shaft: the centre of ink lies off the cell's middle, on the arrow's side."""
    ink = drawn(draw_arrows(grey(60, 60), moving(x, y), largest=12, step=60))
    rows, columns = torch.nonzero(ink).float().mean(dim=0).tolist()
    off = ((columns - 30) * x + (rows - 30) * y) / 4
    across = ((columns - 30) * y + (rows - 30) * x) / 4
    assert off > 2
    assert abs(across) < 1


def test_arrows_are_as_long_as_motion_is_fast_and_rest_is_a_point() -> None:
    lengths = []
    for speed in (0.0, 1.0, 2.0, 4.0, 8.0):
        ink = drawn(draw_arrows(grey(), moving(speed, 0), largest=4, step=50))
        columns = torch.nonzero(ink[:60].any(dim=0)).flatten()
        first = columns[columns < 53]
        lengths.append(int(first.max() - first.min()))
    assert lengths[0] <= 6
    assert lengths == sorted(lengths)
    assert lengths[3] - lengths[2] > 10
    assert lengths[4] == lengths[3]


def test_tails_lead_from_where_a_point_was_to_where_it_is() -> None:
    steps = torch.arange(20.0)
    tracks = torch.stack([20 + 4 * steps, torch.full((20,), 50.0)], dim=1)[:, None]
    picture = draw_tracks(grey(), tracks, largest=4.0, tail=10)
    columns = torch.nonzero(drawn(picture).any(dim=0)).flatten()
    assert columns.min().item() == pytest.approx(20 + 4 * 9, abs=2)
    assert columns.max().item() == pytest.approx(20 + 4 * 19, abs=3)
    red, green, blue = picture[:, 50, 70].tolist()  # to the right
    assert red > 200
    assert max(green, blue) < 60
    twice = draw_tracks(grey(240, 320), tracks, largest=4.0, tail=10, scale=2)
    assert torch.nonzero(drawn(twice).any(dim=0)).max().item() == pytest.approx(2 * (20 + 4 * 19), abs=5)


def test_lost_points_are_not_drawn_and_tails_begin_where_a_point_appears() -> None:
    tracks = torch.zeros(6, 2, 2)
    tracks[:, 0, 0] = torch.arange(6) * 10.0 + 40
    tracks[:, 0, 1] = 30
    tracks[:, 1] = 90
    alive = torch.ones(6, 2, dtype=torch.bool)
    alive[:3, 0] = False  # found in frame 3, at x = 70
    alive[5, 1] = False  # lost in the last frame
    ink = drawn(draw_tracks(grey(), tracks, alive, largest=10.0))
    assert not ink[60:].any()
    assert torch.nonzero(ink.any(dim=0)).min() >= 68
    with pytest.raises(ValueError, match=r"tracks must be \(t, n, 2\)"):
        draw_tracks(grey(), tracks[0], largest=1.0)


def test_the_legend_lies_in_its_corner_and_leaves_the_rest_alone() -> None:
    picture = grey(360, 480)
    before = picture.clone()
    right = drawn(draw_legend(picture, largest=8.0))
    assert torch.equal(picture, before)
    assert right[250:, 380:].any()
    assert not right[:250].any()
    assert not right[:, :380].any()
    left = drawn(draw_legend(picture, largest=8.0, corner="left"))
    assert not left[:, 100:].any()
    tiny = grey(16, 16)
    assert torch.equal(draw_legend(tiny, largest=8.0), tiny)


def test_scales_read_well() -> None:
    assert [nice_length(x) for x in (0.2, 1, 1.2, 2.2, 4.1, 7, 8.5, 11, 70, 950)] == [
        1, 1, 1.5, 3, 4, 8, 10, 15, 80, 1000,
    ]  # fmt: skip
