"""Class names stand in the order of the published models' outputs."""

from __future__ import annotations

import pytest
from torchvision.models.video import R3D_18_Weights

from muybridge.labels import list_labels, load_labels


def test_kinetics400_is_torchvisions_order() -> None:
    assert load_labels("kinetics400") == tuple(R3D_18_Weights.KINETICS400_V1.meta["categories"])


# Numbers that the data sets give in their own files.
@pytest.mark.parametrize(
    ("name", "count", "known"),
    [
        ("kinetics400", 400, {0: "abseiling", 399: "zumba"}),
        # MMAction2's map from Kinetics-700 and -600 to Kinetics-710, whose first 400 are those of Kinetics-400.
        ("kinetics600", 600, {0: "abseiling", 3: "air drumming", 5: "answering questions", 599: "zumba"}),
        ("kinetics700", 700, {0: "abseiling", 3: "air drumming", 5: "answering questions", 699: "zumba"}),
        # something-something-v2-labels.json
        ("ssv2", 174, {3: "Bending something until it breaks", 12: "Dropping something onto something"}),
        # The two actions of video 46GP8, who "cooks food on a stove before looking out of a window".
        ("charades", 157, {92: "Watching/Looking outside of a window", 147: "Someone is cooking something"}),
        # classInd.txt counts from 1: "35 Hammering", "36 HammerThrow"
        ("ucf101", 101, {34: "Hammering", 35: "HammerThrow", 100: "YoYo"}),
        ("hmdb51", 51, {0: "brush_hair", 50: "wave"}),
        ("sports1m", 487, {0: "boomerang", 486: "model aircraft"}),
    ],
)
def test_a_list_has_its_data_sets_numbers(name: str, count: int, known: dict[int, str]) -> None:
    labels = load_labels(name)
    assert len(labels) == count
    assert {number: labels[number] for number in known} == known


@pytest.mark.parametrize("name", list_labels())
def test_names_are_clean_and_different(name: str) -> None:
    labels = load_labels(name)
    assert len(set(labels)) == len(labels)
    for label in labels:
        assert label
        assert label == label.strip()
        assert label.isprintable()
        assert not set(label) & set('"[]_') or name == "hmdb51"


def test_accents_survive() -> None:
    assert {"kyūdō", "pétanque", "valencian frontó"} <= set(load_labels("sports1m"))


@pytest.mark.parametrize("name", ["kinetics", "", "../types", "kinetics400.txt"])
def test_an_unknown_list_names_the_known(name: str) -> None:
    with pytest.raises(ValueError, match=r"no class list .*kinetics400, kinetics600"):
        load_labels(name)
