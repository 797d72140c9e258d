from __future__ import annotations

import pytest
import torch
from torch import nn

from muybridge.models import create_model
from muybridge.models._blocks import slide
from muybridge.models.inflated import NonLocal

ALL_THREE = ((3,) * 3, (3,) * 4, (3,) * 6, (3,) * 3)


def five(first: int, **settings: object) -> dict[str, object]:
    """The usual five non-local blocks."""
    return {"blocks": ((), (first, first + 2), (first, first + 2, first + 4), ()), **settings}


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        # Parameters of PyTorchVideo's model zoo; its arithmetic counted by us at 224, where the zoo's is at 256.
        ("c2d_r50", {"millions": 24.33, "gflops": 19.49}),
        ("i3d_r50_8x8", {"millions": 28.04, "gflops": 28.41}),
        ("slow_r50_8x8", {"millions": 32.45, "gflops": 41.74}),
        ("slow_r50_8x8", {"gflops": 54.52, "size": 256}),
        # MMAction2's model zoo, at its crop of the tests.
        ("c2d_r50_nopool", {"millions": 24.3, "gflops": 33.0}),
        ("i3d_r50_32x2", {"millions": 28.04, "gflops": 43.5, "size": 256}),
        (
            "i3d_r50_32x2",
            {
                "millions": 33.0,
                "gflops": 166.3,
                "size": 256,
                "block_frames": ALL_THREE,
                "time_strides": (1, 1, 2),
            },
        ),
        (
            "i3d_r50_32x2",
            {"millions": 35.4, "gflops": 59.3, "size": 256, "non_local": five(1, pool_first=False)},
        ),
        (
            "i3d_r50_32x2",
            {
                "millions": 31.7,
                "gflops": 56.5,
                "size": 256,
                "non_local": five(1, kind="gaussian", pool_first=False),
            },
        ),
        ("slow_r50_4x16", {"millions": 32.45, "gflops": 27.38, "size": 256}),
        ("slow_r101_8x8", {"millions": 60.36, "gflops": 112.0, "size": 256}),
        (
            "slow_r50_4x16",
            {"millions": 39.81, "gflops": 43.23, "size": 256, "non_local": five(0, pool_first=False)},
        ),
        # PySlowFast's I3D NLN R50, parameters of its own count.
        ("i3d_r50_8x8", {"millions": 35.40, "non_local": five(1)}),
    ],
)
def test_cost_is_the_published_one(name, figures, assert_cost):
    assert_cost(name, **figures)


def lively(block: NonLocal) -> NonLocal:
    nn.init.uniform_(block.norm.weight, 0.5, 1.5)
    nn.init.normal_(block.norm.running_mean)
    return block.eval()


def gathered(block: NonLocal, x: torch.Tensor) -> torch.Tensor:
    """The paper's equation, position by position, for one clip `(1, d, t, h, w)` and pools of 1x2x2."""

    def project(layer: nn.Conv3d | None, column: torch.Tensor) -> torch.Tensor:
        return column if layer is None else layer.weight[:, :, 0, 0, 0] @ column + layer.bias

    seen = []
    for t in range(x.shape[2]):
        for row in range(0, x.shape[3], 2):
            for column in range(0, x.shape[4], 2):
                window = x[0, :, t, row : row + 2, column : column + 2].flatten(1)
                if block.pool_first:
                    highest = window.amax(1)
                    seen.append((project(block.phi, highest), project(block.g, highest)))
                else:
                    each = [(project(block.phi, p), project(block.g, p)) for p in window.T]
                    seen.append(
                        tuple(torch.stack(projected).amax(0) for projected in zip(*each, strict=True))
                    )
    sums = torch.empty_like(x)
    for t, row, column in torch.cartesian_prod(*map(torch.arange, x.shape[2:])).tolist():
        query = project(block.theta, x[0, :, t, row, column])
        products = torch.stack([query @ key for key, _ in seen])
        if block.kind == "dot_product":
            weights = products / len(seen)
        else:
            weights = torch.exp(products * block.scale)
            weights = weights / weights.sum()
        mixed = sum(weight * value for weight, (_, value) in zip(weights, seen, strict=True))
        sums[0, :, t, row, column] = project(block.out, mixed)
    return x + block.norm(sums)


@pytest.mark.parametrize("kind", ["softmax", "dot_product", "gaussian"])
@pytest.mark.parametrize("pool_first", [True, False])
def test_a_non_local_block_weighs_every_position_of_every_frame(kind, pool_first):
    torch.manual_seed(0)
    block = lively(NonLocal(6, kind=kind, pool_first=pool_first))
    x = torch.randn(1, 6, 2, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(block(x), gathered(block, x))


def test_attention_is_scaled_only_if_wanted():
    assert NonLocal(8).scale == pytest.approx(4**-0.5)
    assert NonLocal(8, scaled=False).scale == 1


def test_non_local_blocks_start_as_the_identity_and_fit_maps_of_one_pixel():
    torch.manual_seed(0)
    x = torch.randn(2, 6, 3, 1, 1)
    block = NonLocal(6)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("time_strides", [(2, 2, 2), (1, 1, 2)])
def test_the_strides_along_time_make_the_maps(time_strides):
    with torch.device("meta"):
        model = create_model("i3d_r50_32x2", time_strides=time_strides)
        maps = model.features(torch.empty(1, 3, 32, 64, 64))
    assert maps.shape[2] == 32 // model.time_stride
    assert model.time_stride == time_strides[0] * time_strides[1] * time_strides[2]


@pytest.mark.parametrize("options", [{}, {"stem_pool_padding": False}, {"non_local": five(1)}])
def test_one_frame_is_a_clip(options):
    torch.manual_seed(0)
    model = create_model("c2d_r50", num_classes=3, width=8, **options).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3, 1, 33, 47)).isfinite().all()


def test_flow_and_other_widths_fit():
    with torch.device("meta"):
        model = create_model("slow_r50_8x8", num_classes=3, channels=2, width=32)
        assert model(torch.empty(1, 2, 8, 64, 64)).shape == (1, 3)
    assert model.dim == 1024
    with pytest.raises(ValueError, match="batch, 2, frames"):
        model(torch.empty(1, 3, 8, 64, 64))


@pytest.mark.parametrize(
    ("non_local", "message"),
    [
        (five(1, kind="concatenation"), "'softmax', 'dot_product' or 'gaussian'"),
        (five(1, pools=(1, 2, 2)), "no 'pools'"),
        ({"blocks": ((), (4,), (), ())}, "stage 2 has blocks 0 to 3, so no 4"),
        ({"blocks": ((), (1,))}, "2 stages in blocks; the network has 4"),
    ],
)
def test_bad_non_local_blocks_are_refused(non_local, message):
    with pytest.raises(ValueError, match=message):
        create_model("slow_r50_8x8", non_local=non_local)


@pytest.mark.parametrize(
    ("window", "expected"), [(2, [[2.0, 3.0], [5.0, 6.0]]), (3, [[4.0]]), (7, [[4.0]]), (0, [[4.0]])]
)
def test_windows_slide_over_maps_that_are_larger(window, expected):
    """Means over the 2x2 squares of 0..8; the second frame is 2 more everywhere, the first 2 less."""
    maps = torch.arange(9.0).reshape(1, 1, 1, 3, 3) + torch.tensor([-2.0, 2.0]).reshape(1, 1, 2, 1, 1)
    assert slide(maps, window)[0, 0].tolist() == expected


def test_sliding_counts_the_middle_of_a_large_clip_for_more():
    """8x8 positions have four windows of 7x7: the 6x6 inside are in all of them, a corner in one."""
    whole, sliding = (
        create_model("slow_r50_4x16", num_classes=2, sliding=option) for option in (False, True)
    )
    sliding.load_state_dict(whole.state_dict())
    clip = torch.rand(1, 3, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    counts = torch.tensor([1.0, 2, 2, 2, 2, 2, 2, 1])
    with torch.no_grad():
        maps = whole.eval().features(clip)
        expected = whole.head((maps[:, :, 0] * counts[:, None] * counts).sum((2, 3)) / counts.sum() ** 2)
        torch.testing.assert_close(sliding.eval()(clip), expected, rtol=1e-5, atol=1e-6)
        assert not torch.allclose(whole(clip), expected, rtol=1e-5, atol=1e-6)
