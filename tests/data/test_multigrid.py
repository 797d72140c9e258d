from __future__ import annotations

import pytest

from muybridge.data.multigrid import long_cycle
from muybridge.types import ClipSpec

SPEC = ClipSpec(frames=32, stride=2, size=224, short_side=256)


def test_shapes_are_those_of_the_paper() -> None:
    """Wu et al. 2020, section 3: 8B x T/4 x (S/sqrt 2)^2, 4B x T/2 x (S/sqrt 2)^2, 2B x T/2 x S^2, B x T x S^2."""
    grids = long_cycle(SPEC, epochs=40, step_epochs=(15, 30))
    assert len(grids) == 40
    first = list(dict.fromkeys((g.batch, g.spec.frames, g.spec.size) for g in grids[:15]))
    assert first == [(8, 8, 158), (4, 16, 158), (2, 16, 224), (1, 32, 224)]
    # About as many steps of each: epochs in proportion to the batch.
    assert [sum(g.batch == b for g in grids[:15]) for b in (8, 4, 2, 1)] == [8, 4, 2, 1]
    assert grids[15:30] == grids[:15]
    assert {(g.batch, g.spec) for g in grids[30:]} == {(1, SPEC)}


def test_a_step_costs_the_same_and_a_clip_spans_the_same_time() -> None:
    for grid in long_cycle(SPEC, epochs=30, step_epochs=(15,)):
        cost = grid.batch * grid.spec.frames * grid.spec.size**2
        assert cost == pytest.approx(32 * 224**2, rel=0.01)
        assert grid.spec.frames * grid.spec.stride == 64
        assert grid.spec.short_side / grid.spec.size == pytest.approx(256 / 224, rel=0.01)


@pytest.mark.parametrize("length", range(1, 16))
def test_every_epoch_has_a_shape_however_short_a_stretch(length: int) -> None:
    grids = long_cycle(SPEC, epochs=length + 3, step_epochs=(length,))
    assert len(grids) == length + 3
    sizes = [grid.batch for grid in grids]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-3:] == [1, 1, 1]


def test_steps_after_the_end_are_no_stretch() -> None:
    assert {grid.spec for grid in long_cycle(SPEC, epochs=4, step_epochs=(10, 20))} == {SPEC}


def test_tiny_clips_keep_a_frame() -> None:
    small = ClipSpec(frames=2, stride=1, size=9, short_side=9)
    for grid in long_cycle(small, epochs=20, step_epochs=(15,)):
        assert grid.spec.frames >= 1
        assert grid.spec.short_side >= grid.spec.size >= 6
