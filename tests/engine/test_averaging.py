from __future__ import annotations

import pytest
import torch
from torch import nn

from muybridge.engine.averaging import make_average, measure_norms, update_average


def test_the_running_mean_forgets_at_its_rate() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = make_average(model)
    nn.init.ones_(model.weight)
    # After many steps 1 - 0.9^n of a change has arrived.
    for step in range(1001, 1004):
        update_average(average, model, 0.9, step)
    assert float(average.weight) == pytest.approx(1 - 0.9**3)  # type: ignore[arg-type]
    assert not any(p.requires_grad for p in average.parameters())
    assert float(model.weight.detach()) == 1.0


def test_the_first_steps_forget_faster() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = make_average(model)
    nn.init.ones_(model.weight)
    update_average(average, model, 0.999, 1)
    assert float(average.weight) == pytest.approx(1 - 2 / 11)  # type: ignore[arg-type]


def test_statistics_are_averaged_and_counts_taken_over() -> None:
    model = nn.BatchNorm3d(2)
    average = make_average(model)
    model.running_mean += 4.0  # type: ignore[operator]
    model.num_batches_tracked += 7  # type: ignore[operator]
    update_average(average, model, 0.75, 10_000)
    assert average.running_mean.tolist() == [1.0, 1.0]  # type: ignore[union-attr, operator]
    assert int(average.num_batches_tracked) == 7  # type: ignore[arg-type]


def test_norms_measure_all_batches_as_one() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv3d(3, 4, 1), nn.BatchNorm3d(4), nn.Dropout(0.5)).train()
    batches = [torch.randn(size, 3, 2, 5, 5) * size for size in (2, 3, 5)]
    weights = [p.detach().clone() for p in model.parameters()]
    state = torch.get_rng_state()
    measure_norms(model, batches)
    assert torch.equal(torch.get_rng_state(), state)
    maps = model[0](torch.cat(batches)).transpose(0, 1).flatten(1)
    assert model[1].running_mean.tolist() == pytest.approx(maps.mean(dim=1).tolist(), abs=1e-5)
    assert model[1].running_var.tolist() == pytest.approx(maps.var(dim=1).tolist(), rel=1e-4)
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))
    assert all(module.training for module in model.modules())
    assert model[1].momentum == 0.1


def test_a_second_norm_sees_what_the_first_gives_in_training() -> None:
    """Each batch is normalised by its own statistics on the way, so the second norm measures mean 0, variance 1."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm3d(2), nn.BatchNorm3d(2))
    measure_norms(model, [torch.randn(4, 2, 2, 6, 6) * 3 + shift for shift in (0.0, 50.0)])
    assert model[1].running_mean.tolist() == pytest.approx([0.0, 0.0], abs=1e-4)
    assert model[1].running_var.tolist() == pytest.approx([1.0, 1.0], rel=0.01)
    assert model[0].running_mean.tolist() == pytest.approx([25.0, 25.0], abs=1.0)


def test_a_model_without_norms_is_left_alone() -> None:
    model = nn.Sequential(nn.Conv3d(3, 4, 1))
    before = model[0].weight.detach().clone()
    measure_norms(model, iter([torch.zeros(1, 3, 1, 1, 1)]))
    assert torch.equal(model[0].weight, before)
