"""A model's file: what goes in comes out, and what is not ours is refused in one line."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from muybridge.model_file import load_model, save_model
from muybridge.models import create_model
from muybridge.types import ClipSpec, WeightsError

CLIP = ClipSpec(
    frames=8, stride=2, fps=Fraction(30000, 1001), size=48, short_side=56, test_clips=2, test_crops=1
)


def write(path: Path) -> Path:
    model = create_model("tiny3d", num_classes=2, width=8)
    return save_model(
        path,
        model,
        name="tiny3d",
        options={"width": 8},
        labels=["läuft", "steht"],
        clip=CLIP,
        facts={"epochs": 3},
    )


def test_others_may_read_it_as_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    assert write(tmp_path / "model.safetensors").stat().st_mode == (tmp_path / "any").stat().st_mode


def test_round_trip(tmp_path: Path) -> None:
    model = create_model("tiny3d", num_classes=2, width=8).eval()
    path = tmp_path / "model.safetensors"
    save_model(
        path, model, name="tiny3d", options={"width": 8}, labels=["läuft", "steht"], clip=CLIP, facts={"a": 1}
    )
    loaded = load_model(path)
    clip = torch.randn(1, 3, 8, 48, 48)
    assert torch.equal(loaded.model(clip), model(clip))
    assert (loaded.labels, loaded.clip, loaded.name, loaded.facts) == (
        ("läuft", "steht"),
        CLIP,
        "tiny3d",
        {"a": 1},
    )
    assert not loaded.model.training
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_the_folder_of_a_training_run_will_do(tmp_path: Path) -> None:
    write(tmp_path / "model.safetensors")
    assert load_model(tmp_path).labels == ("läuft", "steht")


def test_what_is_not_a_model_of_ours_is_refused(tmp_path: Path) -> None:
    good = write(tmp_path / "model.safetensors").read_bytes()
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    newer = tmp_path / "newer.safetensors"
    save_file({"x": torch.zeros(1)}, newer, metadata={"muybridge": json.dumps({"format": 99})})
    misfit = tmp_path / "misfit.safetensors"
    about = {
        "format": 1,
        "model": "tiny3d",
        "options": {},
        "labels": ["a"],
        "clip": CLIP.to_dict(),
        "facts": {},
    }
    save_file({"x": torch.zeros(1)}, misfit, metadata={"muybridge": json.dumps(about)})
    unknown = tmp_path / "unknown.safetensors"
    save_file({"x": torch.zeros(1)}, unknown, metadata={"muybridge": json.dumps(about | {"model": "tiny4d"})})
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good[: len(good) // 2])
    pickled = tmp_path / "weights.pth"
    torch.save({"x": torch.zeros(1)}, pickled)
    empty = tmp_path / "empty.safetensors"
    empty.touch()
    (tmp_path / "folder").mkdir()
    for path, words in [
        (tmp_path / "absent.safetensors", "no such file"),
        (tmp_path / "folder", "a folder without"),
        (empty, "not a safetensors file"),
        (cut, "not a safetensors file"),
        (pickled, "not a safetensors file"),
        (foreign, "without muybridge's description"),
        (newer, "format 99"),
        (misfit, "don't fit"),
        (unknown, "tiny3d"),
    ]:
        with pytest.raises(WeightsError) as error:
            load_model(path)
        assert words in str(error.value)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
