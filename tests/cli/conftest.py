"""The command line as a person types it, a few small films, and a model to try on them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from muybridge.checkpoints import save_model
from muybridge.cli import main
from muybridge.data.figures import film_dataset
from muybridge.models import create_model
from muybridge.types import ClipSpec


@dataclass(frozen=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def muybridge(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run `muybridge ...` in this process."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["muybridge", *map(str, arguments)])
        capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as left:
            code = left.code
        said = capsys.readouterr()
        return Ran(int(str(code or 0)), said.out, said.err)

    return run


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two actions, four training videos of each, one for val and one for test."""
    folder = tmp_path_factory.mktemp("film")
    return film_dataset(folder, videos_per_class=(4, 1, 1), size=(60, 80), actions=("walk", "fall"))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learnt nothing, but has labels and a clip."""
    torch.manual_seed(0)
    clip = ClipSpec(frames=4, stride=2, size=32, short_side=36, test_clips=2, test_crops=1)
    model = create_model("tiny3d", num_classes=2, width=4)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    return save_model(
        path, model, name="tiny3d", options={"width": 4}, labels=["fall", "walk"], clip=clip, facts={}
    )
