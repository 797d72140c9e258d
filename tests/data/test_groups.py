from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from muybridge.data.groups import source_of, split_by_group
from muybridge.data.samples import Sample


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("v_Basketball_g01_c02", "v_Basketball_g01"),
        ("--07WQ2iBlw_000001_000011", "--07WQ2iBlw"),
        ("kitchen_part3", "kitchen"),
        ("kitchen-clip_12", "kitchen"),
        ("kitchen_scene-001", "kitchen"),
        ("my film_seg4", "my film"),
        ("kitchen.chunk2", "kitchen"),
        ("Kitchen_Part_3", "Kitchen"),
    ],
)
def test_names_that_tell_the_source(name: str, source: str) -> None:
    assert source_of(Path("data/throw") / f"{name}.mp4", "throw") == source


@pytest.mark.parametrize("name", ["defense_37", "007", "IMG_2041", "jump_clip_3", "counterpart3", "part3"])
def test_names_that_do_not_tell_stand_alone(name: str) -> None:
    first, second = Path("data/jump") / f"{name}.mp4", Path("data/run") / f"{name}.mp4"
    assert source_of(first, "jump") == first.as_posix()
    if name != "jump_clip_3":
        assert source_of(second, "run") != source_of(first, "jump")


def test_parts_in_a_folder_of_their_own_are_of_that_folder() -> None:
    assert source_of(Path("d/talk/film7/part3.mp4"), "talk", "film7") == "film7"
    assert source_of(Path("d/fall/subject1/07.mp4"), "fall", "subject1") == "subject1"


def make(label: str, groups: int, parts: int = 1) -> list[Sample]:
    return [
        Sample(Path(f"{label}/{g}_{p}"), (label,), f"{label}-{g}")
        for g in range(groups)
        for p in range(parts)
    ]


def test_no_group_is_parted_and_every_class_gives_its_share() -> None:
    samples = make("a", 10, 3) + make("b", 40) + make("c", 2, 5)
    for seed in range(20):
        train, val, notes = split_by_group(samples, 0.2, seed)
        assert not {s.group for s in train} & {s.group for s in val}
        assert sorted(train + val, key=str) == sorted(samples, key=str)
        held = Counter(s.label for s in val)
        assert held == {"a": 6, "b": 8, "c": 5}
        assert notes == []


def test_the_seed_decides_whatever_the_order() -> None:
    samples = make("a", 20) + make("b", 20)
    shuffled = random.Random(1).sample(samples, len(samples))
    first, again = split_by_group(samples, 0.25, 7)[1], split_by_group(shuffled, 0.25, 7)[1]
    assert set(first) == set(again)
    assert set(first) != set(split_by_group(samples, 0.25, 8)[1])


def test_groups_that_span_classes_stay_whole() -> None:
    people = [
        Sample(Path(f"{k}{p}{i}"), (k,), f"p{p}") for k in ("fall", "sit") for p in range(5) for i in range(4)
    ]
    train, val, _ = split_by_group(people, 0.2, 0)
    assert len({s.group for s in val}) == 1
    assert len(train) == 32


def test_a_class_of_one_source_stays_in_training_and_is_named() -> None:
    train, val, notes = split_by_group(make("a", 5) + make("lonely", 1, 6), 0.2, 0)
    assert sum(s.label == "lonely" for s in train) == 6
    assert {s.label for s in val} == {"a"}
    assert notes == ["class 'lonely' is not in the validation set: its 6 videos come from one source"]


def test_nothing_to_hold_out_is_an_error() -> None:
    with pytest.raises(ValueError, match="name the groups in a list"):
        split_by_group(make("a", 1, 4) + make("b", 1, 4), 0.2, 0)
