from __future__ import annotations

import numpy as np
import pytest
import torch

from muybridge.video.mixing import blend, cut, mix

TARGETS = torch.eye(3)


def clips(size: int = 8) -> torch.Tensor:
    """Three clips of one value each: 0, 1 and 2."""
    return torch.arange(3.0).view(3, 1, 1, 1, 1).expand(3, 2, 4, size, size).clone()


def test_mixup_is_a_weighted_mean_with_the_batch_turned_round() -> None:
    mixed, targets = blend(clips(), TARGETS, 0.75)
    # Partners of 0, 1, 2 are 2, 1, 0.
    assert mixed[:, 0, 0, 0, 0].tolist() == pytest.approx([0.5, 1.0, 1.5])
    assert targets.tolist() == [[0.75, 0, 0.25], [0, 1, 0], [0.25, 0, 0.75]]
    assert torch.equal(mixed, mixed[:, :1, :1, :1, :1].expand_as(mixed))


def test_cutmix_sets_one_box_into_all_frames_and_says_how_much_it_covers() -> None:
    # A quarter of the area, in the middle: 4 of 8 pixels either way.
    mixed, targets = cut(clips(), TARGETS, 0.75, (0.5, 0.5))
    box = torch.zeros(8, 8)
    box[2:6, 2:6] = 2.0
    assert torch.equal(mixed[0], box.expand(2, 4, 8, 8))
    assert torch.equal(mixed[2], (2 - box).expand(2, 4, 8, 8))
    assert targets.tolist() == [[0.75, 0, 0.25], [0, 1, 0], [0.25, 0, 0.75]]


def test_what_lies_outside_does_not_count() -> None:
    # The same box with its centre in a corner: a quarter of it is left, a sixteenth of the clip.
    mixed, targets = cut(clips(), TARGETS, 0.75, (0.0, 0.0))
    assert int((mixed[0, 0, 0] == 2).sum()) == 4
    assert targets[0].tolist() == pytest.approx([15 / 16, 0, 1 / 16])


def test_a_box_in_wide_frames_keeps_their_proportions() -> None:
    wide = torch.arange(2.0).view(2, 1, 1, 1, 1).expand(2, 3, 2, 8, 16)
    mixed, targets = cut(wide, torch.eye(2), 0.75, (0.5, 0.5))
    rows, columns = torch.nonzero(mixed[0, 0, 0]).T
    assert (rows.unique().tolist(), columns.unique().tolist()) == ([2, 3, 4, 5], list(range(4, 12)))
    assert targets[0].tolist() == [0.75, 0.25]


def test_the_batch_given_stays_as_it_is() -> None:
    given = clips()
    mix(given, TARGETS, mixup=0.0, cutmix=1.0, rng=np.random.default_rng(0))
    assert torch.equal(given, clips())


def kinds(**options: float) -> dict[str, int]:
    """How often 400 draws left a batch alone, laid clips over each other, or cut one into the other."""
    found = {"none": 0, "mixup": 0, "cutmix": 0}
    for seed in range(400):
        given = clips()
        mixed, targets = mix(given, TARGETS, rng=np.random.default_rng(seed), **options)  # type: ignore[arg-type]
        assert targets.sum(dim=1).tolist() == pytest.approx([1.0, 1.0, 1.0])
        if mixed is given:
            found["none"] += 1
            continue
        values = set(mixed[0].unique().tolist())
        found["cutmix" if values <= {0.0, 2.0} else "mixup"] += 1
        # The share of the partner among the pixels is its share in the target.
        assert float(mixed[0].mean()) / 2 == pytest.approx(float(targets[0, 2]), abs=1e-5)
    return found


def test_draws_keep_to_what_was_asked() -> None:
    assert kinds(mixup=0.0, cutmix=0.0)["none"] == 400
    assert kinds(mixup=0.8, cutmix=0.0)["mixup"] == 400
    assert kinds(mixup=0.0, cutmix=1.0)["cutmix"] == 400
    both = kinds(mixup=0.8, cutmix=1.0, probability=0.5, cutmix_share=0.25)
    # Four standard deviations of 400 draws.
    assert both["none"] == pytest.approx(200, abs=40)
    assert both["cutmix"] == pytest.approx(50, abs=27)


def test_shares_come_from_beta() -> None:
    """Beta(alpha, alpha) has the mean 1/2 and the variance 1 / (4 (2 alpha + 1))."""
    for alpha in (0.8, 8.0):
        shares = [
            float(mix(clips(2), TARGETS, mixup=alpha, cutmix=0.0, rng=np.random.default_rng(seed))[1][0, 0])
            for seed in range(2000)
        ]
        assert np.mean(shares) == pytest.approx(0.5, abs=0.03)
        assert np.var(shares) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.15)


def test_several_labels_are_mixed_like_one() -> None:
    shown = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    _, targets = blend(clips(), shown, 0.75)
    assert targets[0].tolist() == [0.75, 1.0, 0.25]
