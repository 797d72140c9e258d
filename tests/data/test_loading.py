from __future__ import annotations

import pytest
import torch

from muybridge.data.clips import Item
from muybridge.data.loading import EvenBatches, collate


@pytest.mark.parametrize(
    ("items", "size", "world"), [(17, 8, 1), (16, 8, 1), (1, 4, 1), (33, 4, 2), (9, 2, 4)]
)
def test_every_item_comes_once_in_even_batches(items: int, size: int, world: int) -> None:
    ranks = [list(EvenBatches(items, size, shuffle=True, rank=r, world_size=world)) for r in range(world)]
    sizes = [len(batch) for batches in ranks for batch in batches]
    assert sorted(i for batches in ranks for batch in batches for i in batch) == list(range(items))
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= size
    assert len({len(batches) for batches in ranks}) == 1


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    batches = EvenBatches(20, 4, shuffle=True, seed=5)
    first = list(batches)
    assert list(EvenBatches(20, 4, shuffle=True, seed=5)) == first
    assert list(EvenBatches(20, 4, shuffle=True, seed=6)) != first
    batches.sampler.set_epoch(3)
    later = list(batches)
    assert sorted(i for batch in later for i in batch) == list(range(60, 80))
    assert [[i - 60 for i in batch] for batch in later] != first


def test_validation_keeps_its_order() -> None:
    batches = EvenBatches(5, 2, shuffle=False)
    batches.set_epoch(4)
    assert list(batches) == [[0, 1], [2, 3], [4]]


def test_what_could_not_be_read_is_left_out_of_the_batch() -> None:
    good = Item(clip=torch.ones(3, 2, 4, 4), label=1, index=7, broken=())
    bad = Item(clip=None, label=0, index=8, broken=((8, "torn"),))
    batch = collate([good, bad])
    assert batch["clip"] is not None
    assert batch["clip"].shape == (1, 3, 2, 4, 4)
    assert batch["label"].tolist() == [1]
    assert batch["index"].tolist() == [7]
    assert batch["broken"] == [(8, "torn")]
    assert collate([bad])["clip"] is None
