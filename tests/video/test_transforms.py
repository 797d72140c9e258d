from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from muybridge.recipe import AugmentRecipe
from muybridge.types import ClipSpec
from muybridge.video.transforms import (
    TestTransform,
    TrainTransform,
    crop_boxes,
    mirror,
    normalize,
    resized_size,
    to_model_layout,
    unit_flow,
)

# With this scale, a normalised clip times 255 is the pixels again.
BARE = ClipSpec(frames=4, size=32, short_side=40, mean=(0, 0, 0), std=(1, 1, 1))
STILL = AugmentRecipe(scale=(1, 1), flip=0)


def noise_clip(t: int = 4, h: int = 40, w: int = 60) -> Tensor:
    pixels = torch.randint(0, 256, (t, 3, h, w), generator=torch.Generator().manual_seed(0))
    return pixels.to(torch.uint8)


def ramp_clip(h: int, w: int, t: int = 2) -> Tensor:
    """Red says the column, green the row."""
    columns = torch.arange(w).expand(h, w)
    rows = torch.arange(h)[:, None].expand(h, w)
    return torch.stack([columns, rows, torch.zeros(h, w)]).expand(t, 3, h, w).to(torch.uint8)


def pixels(clip: Tensor) -> Tensor:
    """Back from the network's scale and layout: (c, t, h, w) to (t, c, h, w) in 0..255."""
    return clip.transpose(0, 1) * 255


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# Geometry


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((720, 1280), 256, (256, 455)),  # 455.1
        ((480, 640), 128, (128, 171)),  # 170.7
        ((640, 480), 128, (171, 128)),
        ((2, 3), 1, (1, 2)),  # a half goes up
        ((256, 340), 256, (256, 340)),
        ((100, 100), 7, (7, 7)),
        ((10, 3000), 20, (20, 6000)),
    ],
)
def test_the_short_side_is_exact_and_the_long_side_rounded(
    size: tuple[int, int], short_side: int, expected: tuple[int, int]
) -> None:
    assert resized_size(*size, short_side) == expected


def test_three_crops_share_the_long_side() -> None:
    assert crop_boxes(256, 341, 224, 3) == [(16, 0, 224, 224), (16, 58, 224, 224), (16, 117, 224, 224)]
    assert crop_boxes(341, 256, 224, 3) == [(0, 16, 224, 224), (58, 16, 224, 224), (117, 16, 224, 224)]
    assert [left for _, left, _, _ in crop_boxes(256, 256, 224, 3)] == [0, 16, 32]


def test_one_crop_is_the_middle_of_three() -> None:
    for height, width in ((256, 341), (400, 256), (224, 224)):
        assert crop_boxes(height, width, 224, 1) == crop_boxes(height, width, 224, 3)[1:2]


# Layout and scale


def test_the_layout_swaps_time_and_channels_only() -> None:
    clip = noise_clip()
    moved = to_model_layout(clip)
    assert moved.shape == (3, 4, 40, 60)
    assert moved.is_contiguous()
    for t in range(4):
        for c in range(3):
            assert torch.equal(moved[c, t], clip[t, c])


def test_pixels_are_normalised_per_channel() -> None:
    spec = ClipSpec(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 1.0))
    clip = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)  # 0, 0.2 and 1
    expected = torch.tensor([-0.2, 0.0, 0.7])
    torch.testing.assert_close(normalize(clip, spec).flatten(), expected)
    torch.testing.assert_close(normalize(clip / 255, spec).flatten(), expected)


def test_normalising_leaves_its_input_alone() -> None:
    clip = torch.full((1, 3, 2, 2), 0.5)
    normalize(clip, ClipSpec())
    assert (clip == 0.5).all()


# Testing


@pytest.mark.parametrize(("h", "w"), [(40, 60), (75, 40)])
def test_test_crops_are_slices_of_a_clip_of_the_right_size(h: int, w: int) -> None:
    clip = noise_clip(h=h, w=w)
    views = TestTransform(BARE, crops=3)(clip)
    assert views.shape == (3, 3, 4, 32, 32)
    assert views.dtype == torch.float32
    for view, (top, left, height, width) in zip(views, crop_boxes(h, w, 32, 3), strict=True):
        cut = clip[..., top : top + height, left : left + width].float()
        torch.testing.assert_close(pixels(view), cut, atol=1e-4, rtol=0)


def test_test_crops_of_a_larger_clip_are_slices_of_the_resized_one() -> None:
    clip = noise_clip(h=100, w=160)
    whole = TestTransform(ClipSpec(size=40, short_side=40, mean=BARE.mean, std=BARE.std), crops=3)(clip)
    resized = torch.cat([whole[0], whole[2][..., -24:]], dim=-1)  # 64 columns: the first 40 and the last 24
    views = TestTransform(BARE, crops=3)(clip)
    for view, left in zip(views, (0, 16, 32), strict=True):
        assert torch.equal(view, resized[..., 4:36, left : left + 32])


def test_resizing_keeps_positions() -> None:
    # Halving a ramp: output column j lies at source column 2 j + 0.5, rounded to a grey level.
    [view] = TestTransform(BARE, crops=1)(ramp_clip(80, 120))
    columns, rows = pixels(view)[0, 0], pixels(view)[0, 1]
    expected = 2 * torch.arange(32.0) + 0.5
    assert (columns - (expected + 2 * 14)).abs().max() < 0.51
    assert (rows - (expected[:, None] + 2 * 4)).abs().max() < 0.51


def test_the_specs_own_number_of_crops_is_taken() -> None:
    assert len(TestTransform(ClipSpec(size=32, short_side=40, test_crops=1))(noise_clip())) == 1
    assert len(TestTransform(ClipSpec(size=32, short_side=40, test_crops=3))(noise_clip())) == 3


# Training


def test_without_a_change_of_scale_training_crops_are_slices() -> None:
    clip = ramp_clip(40, 60)
    transform = TrainTransform(BARE, STILL)
    corners = set()
    for seed in range(400):
        out = pixels(transform(clip, generator=seeded(seed))).round()
        left, top = int(out[0, 0, 0, 0]), int(out[0, 1, 0, 0])
        assert torch.equal(out, clip[..., top : top + 32, left : left + 32].float())
        corners.add((top, left))
    assert {top for top, _ in corners} == set(range(9))
    assert {left for _, left in corners} == set(range(29))


def test_scale_jitter_stays_in_its_range_and_keeps_proportions() -> None:
    clip = ramp_clip(80, 120)
    transform = TrainTransform(BARE, AugmentRecipe(scale=(1.0, 1.5), flip=0))
    scales = []
    for seed in range(200):
        out = pixels(transform(clip, generator=seeded(seed)))[0]
        assert out.shape == (3, 32, 32)
        across = float(out[0, 16, -1] - out[0, 16, 0]) / 31  # source pixels per output pixel
        down = float(out[1, -1, 16] - out[1, 0, 16]) / 31
        assert abs(across - down) < 0.1
        scales.append(2 / across)
    assert 0.95 < min(scales) < 1.05
    assert 1.4 < max(scales) < 1.6


def test_a_crop_is_resized_in_its_place() -> None:
    # Halved to 40x60, so that crops begin in columns 0..28 and rows 0..8: at 0.5..56.5 and 0.5..16.5 before.
    clip, transform = ramp_clip(80, 120), TrainTransform(BARE, STILL)
    corners = []
    for seed in range(300):
        out = pixels(transform(clip, generator=seeded(seed)))[0]
        left, top = float(out[0, 0, 0]), float(out[1, 0, 0])
        assert (out[0] - (left + 2 * torch.arange(32.0))).abs().max() < 1.01  # a straight ramp, to one level
        assert (out[1] - (top + 2 * torch.arange(32.0)[:, None])).abs().max() < 1.01
        corners.append((left, top))
    lefts, tops = zip(*corners, strict=True)
    assert (min(lefts), max(lefts)) == pytest.approx((0.5, 56.5), abs=0.6)
    assert (min(tops), max(tops)) == pytest.approx((0.5, 16.5), abs=0.6)


def test_a_scale_below_the_crop_stops_at_the_crop() -> None:
    out = TrainTransform(BARE, AugmentRecipe(scale=(0.2, 0.2), flip=0))(noise_clip(h=32, w=32))
    torch.testing.assert_close(pixels(out), noise_clip(h=32, w=32).float(), atol=1e-4, rtol=0)


def test_flips_mirror_the_clip_unless_the_label_forbids_it() -> None:
    clip = noise_clip(h=40, w=40)
    spec = ClipSpec(size=40, short_side=40, mean=BARE.mean, std=BARE.std)
    flip = TrainTransform(spec, AugmentRecipe(scale=(1, 1), flip=1, flip_never=("swipe_left",)))
    plain = TrainTransform(spec, STILL)(clip)
    assert torch.equal(flip(clip, "wave"), plain.flip(-1))
    assert torch.equal(flip(clip), plain.flip(-1))
    assert torch.equal(flip(clip, "swipe_left"), plain)


def test_flips_come_as_often_as_asked() -> None:
    clip, transform = ramp_clip(32, 32), TrainTransform(BARE, AugmentRecipe(scale=(0.8, 0.8), flip=0.25))
    flipped = [
        bool(out[0, 0, 0, 0] > out[0, 0, 0, -1])
        for out in (transform(clip, generator=seeded(s)) for s in range(800))
    ]
    assert 0.2 < sum(flipped) / 800 < 0.3


def test_the_label_does_not_change_what_is_drawn_next() -> None:
    transform = TrainTransform(BARE, AugmentRecipe(flip_never=("left",), noise=0.1))
    after = []
    for label in ("left", "jump", None):
        generator = seeded(5)
        transform(noise_clip(), label, generator)
        after.append(float(torch.rand((), generator=generator)))
    assert len(set(after)) == 1


# Flow: what it measures stays what it is, in pixels at the model's short side.

FLOW = ClipSpec(size=32, short_side=40, modality="flow", mean=(0.5, 0.5), std=(0.5, 0.5))
BOTH = ClipSpec(
    size=32, short_side=40, modality="rgb+flow", mean=(0, 0, 0, 0.5, 0.5), std=(1, 1, 1, 0.5, 0.5)
)


def steady(x: float, y: float, h: int = 40, w: int = 60, pairs: int = 1) -> Tensor:
    """Everything moves alike: flow (2, 2 pairs, h, w)."""
    return torch.tensor([x, y] * pairs, dtype=torch.float32).view(1, -1, 1, 1).repeat(2, 1, h, w)


def test_flow_is_truncated_at_20_pixels_and_scaled() -> None:
    values = torch.tensor([-31.0, -20.0, -10.0, 0.0, 5.0, 20.0, 400.0]).view(1, 1, 1, -1)
    assert unit_flow(values).flatten().tolist() == pytest.approx([0, 0, 0.25, 0.5, 0.625, 1, 1])
    assert TestTransform(FLOW, 1)(steady(-3, 7)).unique().tolist() == pytest.approx([-3 / 20, 7 / 20])


@pytest.mark.parametrize(("h", "w"), [(40, 60), (80, 120), (20, 35)])
def test_resizing_leaves_the_values_of_flow_alone(h: int, w: int) -> None:
    for transform in (TestTransform(FLOW, 3), TrainTransform(FLOW, AugmentRecipe(scale=(1.1, 1.3), flip=0))):
        out = transform(steady(-3, 7, h, w))
        assert out.shape[-4:] == (2, 2, 32, 32)
        torch.testing.assert_close(out[..., 0, :, :, :], torch.full_like(out[..., 0, :, :, :], -0.15))
        torch.testing.assert_close(out[..., 1, :, :, :], torch.full_like(out[..., 1, :, :, :], 0.35))


def test_in_a_mirror_flow_runs_the_other_way() -> None:
    """All that grows to the right grows to the left; x of every pair of a stack is negated, y is not."""
    flow = torch.arange(60.0).expand(2, 6, 40, 60).clone()
    seen = mirror(flow)
    assert torch.equal(seen[:, ::2], -flow[:, ::2].flip(-1))
    assert torch.equal(seen[:, 1::2], flow[:, 1::2].flip(-1))
    assert torch.equal(mirror(seen), flow)
    assert flow[0, 0, 0, 1] == 1  # what was given is left alone
    flip = TrainTransform(FLOW, AugmentRecipe(scale=(1, 1), flip=1, flip_never=("walk_left",)))
    assert flip(steady(-3, 7)).unique().tolist() == pytest.approx([3 / 20, 7 / 20])
    assert flip(steady(-3, 7), "walk_left").unique().tolist() == pytest.approx([-3 / 20, 7 / 20])


def test_frames_and_flow_are_cut_at_the_same_place_and_only_frames_have_colours() -> None:
    """Red and x of the flow both say the column, green and y the row; flow may be smaller than the frames."""
    frames = ramp_clip(80, 120)
    columns = torch.arange(60.0).expand(40, 60)
    flow = torch.stack([columns, torch.arange(40.0)[:, None].expand(40, 60)]).expand(2, 2, 40, 60) * 0.3
    for seed in range(8):
        out = TrainTransform(BOTH, AugmentRecipe(scale=(1.0, 1.4), flip=0))(
            (frames, flow), generator=seeded(seed)
        )
        assert out.shape == (5, 2, 32, 32)
        inner = out[:, 0, 4:-4, 4:-4]
        # Column c of the frames lies over column (c - 0.5) / 2 of the flow.
        torch.testing.assert_close(inner[:2] * 255, 2 * (inner[3:] * 20 / 0.3) + 0.5, atol=2.6, rtol=0)
    plain, painted = (
        TrainTransform(BOTH, AugmentRecipe(scale=(1, 1), flip=0, brightness=b, noise=b / 9))(
            (frames, flow), generator=seeded(1)
        )
        for b in (0.0, 0.9)
    )
    assert torch.equal(plain[3:], painted[3:])
    assert not torch.equal(plain[:3], painted[:3])


def test_a_crop_of_both_is_that_of_each() -> None:
    frames, flow = noise_clip(), steady(2, -4).repeat(2, 1, 1, 1) + torch.arange(60.0)
    views = TestTransform(BOTH, 3)((frames, flow))
    assert views.shape == (3, 5, 4, 32, 32)
    torch.testing.assert_close(views[:, :3], TestTransform(BARE, 3)(frames))
    assert torch.equal(views[:, 3:], TestTransform(FLOW, 3)(flow))


ALL = AugmentRecipe(scale=(0.9, 1.4), brightness=0.4, contrast=0.4, saturation=0.4, noise=0.05)


def test_the_same_seed_gives_the_same_view() -> None:
    transform, clip = TrainTransform(BARE, ALL), noise_clip()
    first = transform(clip, generator=seeded(7))
    assert torch.equal(first, transform(clip, generator=seeded(7)))
    assert not torch.equal(first, transform(clip, generator=seeded(8)))
    torch.manual_seed(7)
    by_default = transform(clip)
    torch.manual_seed(7)
    assert torch.equal(by_default, transform(clip))


def test_every_frame_of_a_clip_is_changed_alike() -> None:
    still = noise_clip(t=1).expand(6, -1, -1, -1)
    augment = AugmentRecipe(scale=(0.9, 1.4), brightness=0.4, contrast=0.4, saturation=0.4)
    for seed in range(10):
        out = TrainTransform(BARE, augment)(still, generator=seeded(seed))
        assert (out == out[:, :1]).all()


def test_brightness_is_multiplied_by_a_factor_in_range() -> None:
    grey = torch.full((2, 3, 40, 40), 100, dtype=torch.uint8)
    transform = TrainTransform(BARE, AugmentRecipe(scale=(1, 1), brightness=0.5))
    levels = [float(pixels(transform(grey, generator=seeded(s))).mean()) for s in range(200)]
    assert 50 <= min(levels) < 60
    assert 140 < max(levels) <= 150


def test_contrast_and_saturation_leave_an_even_grey_alone() -> None:
    grey = torch.full((2, 3, 40, 40), 100, dtype=torch.uint8)
    transform = TrainTransform(BARE, AugmentRecipe(contrast=0.9, saturation=0.9))
    out = pixels(transform(grey, generator=seeded(0)))
    torch.testing.assert_close(out, torch.full_like(out, 100), atol=0.1, rtol=0)


def test_saturation_moves_colours_towards_or_from_grey() -> None:
    red = torch.tensor([200, 50, 50], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 40, 40)
    transform = TrainTransform(BARE, AugmentRecipe(scale=(1, 1), saturation=0.8))
    spread = [float((o := transform(red, generator=seeded(s)))[0].mean() - o[1].mean()) for s in range(50)]
    assert min(spread) * 255 < 75
    assert max(spread) * 255 > 200


def test_noise_has_its_deviation_and_is_new_in_every_frame() -> None:
    grey = torch.full((4, 3, 40, 40), 128, dtype=torch.uint8)
    out = TrainTransform(BARE, AugmentRecipe(noise=0.1))(grey, generator=seeded(0))
    assert abs(float(out.std()) - 0.1) < 0.005
    assert not torch.equal(out[:, 0], out[:, 1])
    black = torch.zeros_like(grey)
    assert float(TrainTransform(BARE, AugmentRecipe(noise=0.1))(black).min()) == 0


def test_transforms_travel_to_loader_workers() -> None:
    clip = noise_clip()
    transform = TrainTransform(BARE, ALL)
    copy = pickle.loads(pickle.dumps(transform))
    assert torch.equal(transform(clip, "a", seeded(1)), copy(clip, "a", seeded(1)))
    test = TestTransform(BARE)
    assert torch.equal(test(clip), pickle.loads(pickle.dumps(test))(clip))


# Errors


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: TestTransform(BARE, crops=2), "crops is 2; it must be 1 or 3"),
        (lambda: TestTransform(BARE)(torch.zeros(4, 1, 40, 40, dtype=torch.uint8)), r"\(4, 1, 40, 40\)"),
        (lambda: TestTransform(BARE)(torch.zeros(4, 3, 40, 40)), "torch.float32"),
        (lambda: TrainTransform(BARE, STILL)(torch.zeros(3, 40, 40, dtype=torch.uint8)), r"\(3, 40, 40\)"),
        (
            lambda: TrainTransform(BARE, STILL)(torch.zeros(0, 3, 40, 40, dtype=torch.uint8)),
            r"\(0, 3, 40, 40\)",
        ),
        (lambda: TestTransform(FLOW)(noise_clip()), r"flow in pixels, torch.float32 \(t, 2, h, w\)"),
        (lambda: TestTransform(FLOW)(steady(1, 1, pairs=5)), r"\(2, 10, 40, 60\)"),
        (lambda: TestTransform(BOTH)(noise_clip()), "1 tensors were given for a model that sees rgb\\+flow"),
        (lambda: TrainTransform(BARE, AugmentRecipe(scale=(1.2, 1.0))), r"augment.scale is \(1.2, 1.0\)"),
        (lambda: TrainTransform(BARE, AugmentRecipe(scale=(0.0, 1.0))), "positive"),
        (lambda: crop_boxes(200, 300, 224, 1), "224x224 from a frame of 300x200"),
        (lambda: crop_boxes(200, 300, 100, 5), "crops is 5"),
        (lambda: resized_size(0, 10, 5), "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_without_shift_every_crop_is_the_centre() -> None:
    """A frame as tall as the crop and far wider: the crop's columns tell where it was taken."""
    clip = torch.arange(96, dtype=torch.uint8).expand(2, 3, 32, 96).contiguous()
    spec = ClipSpec(size=32, short_side=32, mean=(0, 0, 0), std=(1, 1, 1))
    first_columns: dict[float, set[int]] = {}
    for shift in (0.0, 0.5, 1.0):
        transform = TrainTransform(spec, AugmentRecipe(scale=(1.0, 1.0), flip=0, shift=shift))
        draws = [transform(clip, generator=torch.Generator().manual_seed(i))[0, 0, 0, 0] for i in range(300)]
        first_columns[shift] = {round(float(d) * 255) for d in draws}
    assert first_columns[0.0] == {32}
    assert 16 <= min(first_columns[0.5]) <= 18
    assert 46 <= max(first_columns[0.5]) <= 48
    assert min(first_columns[1.0]) <= 2
    assert max(first_columns[1.0]) >= 62
