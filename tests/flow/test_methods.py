"""The door to all methods: sign, axis, chunks, streams, edges and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from muybridge.flow import METHODS, check_method, flow, flow_between, open_method, stream_flow, track_points

FAST: dict[str, dict[str, Any]] = {
    "tvl1": {"compiled": False, "scales": 3, "warps": 2, "outer": 2},
    "farneback": {},
    "dis": {},
    "opencv_tvl1": {"scales": 3, "warps": 2, "outer": 2},
}


@pytest.fixture(params=list(FAST))
def method(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name != "tvl1":
        pytest.importorskip("cv2", reason=f"{name} is OpenCV's")
    return name


@pytest.fixture(scope="module")
def film() -> Tensor:
    """Five frames, RGB, of a scene that moves left by 3 pixels and down by 1 from each to the next."""
    rng = torch.Generator().manual_seed(3)
    scene = F.interpolate(torch.rand(1, 3, 16, 20, generator=rng), size=(96, 120), mode="bicubic")[0]
    scene = (255 * scene).clamp(0, 255).byte()
    return torch.stack([scene[:, 10 - i : 74 - i, 4 + 3 * i : 84 + 3 * i] for i in range(5)])


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is what is tested)
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_left_is_minus_x_and_down_is_plus_y(method: str, film: Tensor) -> None:
    fields = flow(film[:3], method=method, **FAST[method])
    assert fields.shape == (2, 2, 64, 80)
    assert fields.dtype == torch.float32
    middle = fields[:, :, 16:-16, 16:-16]
    assert middle.mean((0, 2, 3)).tolist() == pytest.approx([-3, 1], abs=0.1)


def test_grey_float_and_bytes_agree(method: str, film: Tensor) -> None:
    options = FAST[method]
    grey = film[:2].float().mean(1, keepdim=True).round()
    ours = flow(grey, method=method, **options)
    assert torch.equal(flow(grey.byte(), method=method, **options), ours)
    torch.testing.assert_close(
        flow(grey.expand(-1, 3, -1, -1), method=method, **options), ours, atol=1e-3, rtol=0
    )


def test_chunks_change_nothing(method: str, film: Tensor) -> None:
    options, steps = FAST[method], []
    whole = flow(film, method=method, chunk=16, **options)
    parts = flow(
        film,
        method=method,
        chunk=3,
        progress=lambda done, total: steps.append((done, total)),
        **options,
    )
    torch.testing.assert_close(parts, whole, atol=1e-5, rtol=0)
    assert steps == [(3, 4), (4, 4)]


def test_a_stream_gives_what_the_whole_gives(film: Tensor) -> None:
    maker = open_method("tvl1", chunk=2, **FAST["tvl1"])
    whole = flow(film, method=maker)
    for sizes in ([5], [1, 1, 1, 1, 1], [2, 3], [1, 4]):
        parts = list(stream_flow(iter(film.split(sizes)), method=maker))
        assert max(len(part) for part in parts) <= 2
        torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=0)


def test_frames_that_are_the_same_do_not_move(method: str, film: Tensor) -> None:
    fields = flow(film[:1].repeat(3, 1, 1, 1), method=method, **FAST[method])
    assert fields.abs().max() < (0.1 if method == "farneback" else 0.001)  # polynomials are fitted with noise


@pytest.mark.parametrize("size", [(16, 16), (16, 40), (5, 7), (1, 1)])
def test_small_pictures_have_flow(method: str, film: Tensor, size: tuple[int, int]) -> None:
    fields = flow(film[:2, :, : size[0], : size[1]], method=method, **FAST[method])
    assert fields.shape == (1, 2, *size)
    assert fields.isfinite().all()


def test_pairs_need_not_be_neighbours(film: Tensor) -> None:
    there = flow_between(film[:1], film[2:3], compiled=False)[..., 16:-16, 16:-16]
    assert there.mean((0, 2, 3)).tolist() == pytest.approx([-6, 2], abs=0.2)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda f: f[:1], "flow is made of two frames or more; there is 1"),
        (lambda f: f[:0], "flow is made of two frames or more; there are none"),
        (
            lambda f: f[:, :2],
            "flow needs pictures (t, c, h, w) with 1 or 3 channels; these are uint8 (5, 2, 64, 80)",
        ),
        (
            lambda f: f[0],
            "flow needs pictures (t, c, h, w) with 1 or 3 channels; these are uint8 (3, 64, 80)",
        ),
        (lambda f: f.int(), "flow needs pictures of uint8 or float 0..255; these are int32 (5, 3, 64, 80)"),
    ],
)
def test_frames_that_have_no_flow(film: Tensor, change: Callable[[Tensor], Tensor], text: str) -> None:
    assert refusal(lambda: flow(change(film))) == text


def test_a_stream_of_one_frame_has_no_flow(film: Tensor) -> None:
    assert refusal(lambda: list(stream_flow([film[:1]]))).endswith("there is 1")
    assert refusal(lambda: list(stream_flow([]))).endswith("there are none")


def test_pairs_of_two_sizes_are_refused(film: Tensor) -> None:
    text = refusal(lambda: flow_between(film, film[..., 1:]))
    assert (
        text
        == "the first pictures are uint8 (5, 3, 64, 80), the second uint8 (5, 3, 64, 79); flow needs pairs of one size"
    )


def test_a_name_that_is_nearly_right() -> None:
    assert "did you mean 'tvl1'? There are tvl1, raft_small" in refusal(lambda: check_method("tv-l1"))
    assert "track_points" in refusal(lambda: check_method("lucas_kanade"))
    assert check_method("raft_small") == "raft_small"


def test_settings_are_checked_before_anything_is_computed() -> None:
    assert "did you mean 'warps'? It knows tau, lambda_" in refusal(lambda: open_method("tvl1", warp=3))
    assert refusal(lambda: open_method("tvl1", warps=0)) == "warps is 0; it must be at least 1"
    assert refusal(lambda: open_method("tvl1", median=4)) == "median is 4; it must be 3, 5, or 1 for none"
    assert refusal(lambda: open_method("tvl1", chunk=0)) == "chunk is 0; it must be at least 1"
    maker = open_method("tvl1")
    assert "is open already" in refusal(lambda: flow(torch.zeros(2, 1, 8, 8), method=maker, warps=2))


def test_without_opencv_its_methods_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muybridge.flow.methods.find_spec", lambda name: None)
    assert refusal(lambda: check_method("dis")) == "dis needs OpenCV; type: pip install 'muybridge[flow]'"
    assert check_method("tvl1") == "tvl1"


def test_every_method_has_a_line_and_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, line in METHODS.items():
        assert line
        if name in FAST and (name == "tvl1" or pytest.importorskip("cv2", reason="the others are OpenCV's")):
            assert repr(open_method(name)) == f"FlowMaker({name!r})"


def test_points_are_followed(film: Tensor) -> None:
    pytest.importorskip("cv2", reason="Lucas and Kanade is OpenCV's")
    points = torch.tensor([[40.0, 30.0], [50.5, 20.25], [4.0, 30.0]])
    tracks, alive = track_points(film, points)
    assert tracks.shape == (5, 3, 2)
    assert torch.equal(tracks[0], points)
    steps = torch.arange(5)[:, None] * torch.tensor([-3.0, 1.0])
    for number in (0, 1):
        torch.testing.assert_close(tracks[:, number], points[number] + steps, atol=0.3, rtol=0)
        assert alive[:, number].all()
    assert alive[:, 2].tolist() == [True, True, False, False, False]  # it leaves to the left
    assert torch.equal(tracks[2, 2], tracks[4, 2])


def test_good_features_are_found_where_none_are_given(film: Tensor) -> None:
    pytest.importorskip("cv2", reason="Lucas and Kanade is OpenCV's")
    tracks, alive = track_points(film, count=20)
    assert 0 < tracks.shape[1] <= 20
    assert alive[0].all()
    moved = (tracks[1] - tracks[0])[alive[1]].median(0).values
    assert moved.tolist() == pytest.approx([-3, 1], abs=0.1)
    flat, _ = track_points(torch.full_like(film, 90))
    assert flat.shape == (5, 0, 2)
    assert "points must be (n, 2)" in refusal(lambda: track_points(film, torch.zeros(2)))
