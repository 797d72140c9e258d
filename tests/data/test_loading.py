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
    good = Item(clip=torch.ones(3, 2, 4, 4), label=torch.tensor(1), index=7, broken=())
    bad = Item(clip=None, label=torch.tensor(0), index=8, broken=((8, "torn"),))
    batch = collate([good, bad])
    assert batch["clip"] is not None
    assert batch["clip"].shape == (1, 3, 2, 4, 4)
    assert batch["label"].tolist() == [1]
    assert batch["index"].tolist() == [7]
    assert batch["broken"] == [(8, "torn")]
    assert collate([bad])["clip"] is None


@pytest.mark.parametrize("world", [1, 2])
def test_clips_of_a_video_share_a_batch_where_asked(world: int) -> None:
    # Seven videos, three clips of each: item i is of video i % 7.
    ranks = [
        EvenBatches(21, 6, shuffle=True, copies=3, seed=1, rank=r, world_size=world) for r in range(world)
    ]
    for epoch in (0, 2):
        for rank in ranks:
            rank.set_epoch(epoch)
        batches = [batch for rank in ranks for batch in rank]
        assert sorted(i for batch in batches for i in batch) == list(range(21 * epoch, 21 * epoch + 21))
        for batch in batches:
            assert len(batch) <= 6
            videos = [(i - 21 * epoch) % 7 for i in batch]
            assert all(videos.count(video) == 3 for video in videos)
    assert len({len(rank) for rank in ranks}) == 1


def test_a_batch_smaller_than_a_video_holds_one() -> None:
    assert [len(batch) for batch in EvenBatches(8, 2, shuffle=False, copies=4)] == [4, 4]


def test_batches_may_change_their_size_from_epoch_to_epoch() -> None:
    batches = EvenBatches(24, lambda epoch: 8 if epoch < 2 else 2, shuffle=True)
    for epoch, expected in ((0, 3), (1, 3), (2, 12)):
        batches.set_epoch(epoch)
        assert len(batches) == expected
        found = list(batches)
        assert len(found) == expected
        assert sorted(i for batch in found for i in batch) == list(range(24 * epoch, 24 * epoch + 24))
