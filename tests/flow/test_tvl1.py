"""TV-L1 against the truth, and against OpenCV's."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from muybridge.flow import end_point_error, flow_between
from muybridge.flow.compiling import Compiled
from muybridge.flow.iterations import Settings, fusible_iterations, plain_iterations
from muybridge.flow.median import median_filter
from muybridge.flow.truth import MOTIONS, make_pair


def both(motion: str, **options: Any) -> tuple[float, float]:
    """End-point error of ours and of OpenCV's, where the first picture is visible in the second."""
    pytest.importorskip("cv2", reason="OpenCV's TV-L1 is the reference")
    pair = make_pair(motion, size=(72, 96), seed=1)
    errors = []
    for method in ("tvl1", "opencv_tvl1"):
        own = {"compiled": False} if method == "tvl1" else {}
        found = flow_between(pair.first[None], pair.second[None], method=method, **own, **options)
        errors.append(float(end_point_error(found, pair.flow[None], pair.visible[None])))
    return errors[0], errors[1]


def test_as_accurate_as_opencv_at_its_defaults() -> None:
    errors = np.array([both(motion) for motion in MOTIONS])
    ours, theirs = errors.mean(0)
    assert ours <= theirs
    assert (errors[:, 0] <= errors[:, 1] + 0.01).all()


@pytest.mark.parametrize("median", [1, 3, 5])
def test_one_scale_and_one_warp_are_opencv_s(median: int) -> None:
    pytest.importorskip("cv2", reason="OpenCV's TV-L1 is the reference")
    pair = make_pair("subpixel", size=(40, 56), seed=2)
    # Nothing leaves the picture yet and nothing is resized, where we differ on purpose.
    options = {"scales": 1, "warps": 1, "inner": 10, "outer": 3, "epsilon": 0.0, "median": median}
    ours = flow_between(pair.first[None], pair.second[None], compiled=False, **options)
    theirs = flow_between(pair.first[None], pair.second[None], method="opencv_tvl1", **options)
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0)


def test_a_pair_does_not_depend_on_its_neighbours() -> None:
    pairs = [make_pair(motion, size=(40, 48)) for motion in ("subpixel", "translation", "zoom")]
    first, second = (torch.stack([getattr(pair, name) for pair in pairs]) for name in ("first", "second"))
    together = flow_between(first, second, compiled=False)
    for number in range(3):
        alone = flow_between(first[[number]], second[[number]], compiled=False)
        torch.testing.assert_close(alone[0], together[number], atol=1e-5, rtol=0)


def test_the_form_for_the_compiler_computes_the_same() -> None:
    settings = Settings(inner=4)
    rng = torch.Generator().manual_seed(0)
    state, data = torch.rand(6, 2, 9, 11, generator=rng), torch.rand(4, 2, 9, 11, generator=rng)
    # What begins with zeros beyond the last slope stays so.
    state[2:4, ..., -1] = 0
    state[4:6, :, -1] = 0
    fused, change = fusible_iterations(settings)(state.clone(), data)
    plain, same_change = plain_iterations(settings)(state.clone(), data)
    torch.testing.assert_close(fused, plain)
    torch.testing.assert_close(change, same_change)


@pytest.mark.slow
def test_compiled_and_plain_agree() -> None:
    # Three that stop at different moments: several pairs and the last one alone take turns.
    pairs = [make_pair(motion, size=(40, 56)) for motion in ("subpixel", "translation", "zoom")]
    first, second = (torch.stack([getattr(pair, name) for pair in pairs]) for name in ("first", "second"))
    one, two = (
        flow_between(first, second, compiled=compiled, scales=2, warps=1, outer=2)
        for compiled in (True, False)
    )
    assert float(end_point_error(one, two).max()) < 0.01


def test_compiling_begins_when_it_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    function = Compiled(lambda: "plain", lambda: "fast", None)
    function.count(4_000_000)
    assert function() == "plain"
    function.count(4_000_000)
    function.count(1)
    assert function() == "fast"
    assert Compiled(lambda: "plain", lambda: "fast", True)() == "fast"
    never = Compiled(lambda: "plain", lambda: "fast", False)
    never.count(10_000_000)
    never.count(1)
    assert never() == "plain"


def test_without_a_compiler_it_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(function: object, **_: object) -> object:
        raise RuntimeError("no g++ here\nand much more")

    monkeypatch.setattr(torch, "compile", broken)
    function = Compiled(lambda: "plain", lambda: "fast", None)
    function.count(8_000_000)
    function.count(1)
    with caplog.at_level(logging.INFO, logger="muybridge"):
        assert [function(), function()] == ["plain", "plain"]
    assert [record.getMessage() for record in caplog.records] == [
        "flow is not compiled, and slower: no g++ here"
    ]
    with pytest.raises(
        ValueError, match=r"can't be compiled here \(no g\+\+ here\); install a C\+\+ compiler"
    ):
        Compiled(lambda: "plain", lambda: "fast", True)()


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("shape", [(1, 2, 23, 17), (2, 1, 1, 1), (1, 1, 3, 40)])
def test_the_network_finds_the_median(size: int, shape: tuple[int, ...]) -> None:
    planes = torch.randint(0, 9, shape, generator=torch.Generator().manual_seed(1)).float()
    assert torch.equal(median_filter(planes, size), _sorted_median(planes, size))


def test_the_network_finds_the_median_of_real_numbers() -> None:
    planes = torch.randn(1, 2, 30, 30, generator=torch.Generator().manual_seed(1))
    assert torch.equal(median_filter(planes, 5), _sorted_median(planes, 5))


def _sorted_median(planes: Tensor, size: int) -> Tensor:
    """By sorting every window, with NumPy."""
    reach = size // 2
    padded = np.pad(planes.numpy(), ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3))
    return torch.from_numpy(np.median(windows, axis=(-2, -1)))
