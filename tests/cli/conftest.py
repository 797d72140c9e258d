"""A model to try commands on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from muybridge.model_file import save_model
from muybridge.models import create_model
from muybridge.types import ClipSpec


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
