"""The peers' checkpoints and outputs, rebuilt from the shared folder."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from muybridge.models import create_model, model_info
from muybridge.models.cost import count_gflops, count_parameters


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def reference(shared: Path) -> Callable[[str], Any]:
    """`reference("mm_c3d")` has `.checkpoint` in the peer's key names, `.clip`, `.output` and more."""
    path = shared / "parity" / "reference.py"
    if not path.exists():
        pytest.skip(f"no reference outputs at {path.parent}")
    spec = importlib.util.spec_from_file_location("reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "reference", module)
        spec.loader.exec_module(module)
    return module.load


@pytest.fixture(scope="session")
def rename() -> Callable[[Mapping[str, Tensor], Sequence[tuple[str, str]]], dict[str, Tensor]]:
    """Rename keys by patterns, applied in order."""

    def apply(state: Mapping[str, Tensor], rules: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
        renamed = {}
        for key, value in state.items():
            for pattern, replacement in rules:
                key = re.sub(pattern, replacement, key)
            assert key not in renamed
            renamed[key] = value
        return renamed

    return apply


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Tensor, Tensor], None]:
    """Equal within 1e-5 of the largest value."""

    def check(ours: Tensor, theirs: Tensor) -> None:
        assert ours.shape == theirs.shape
        difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
        assert difference <= 1e-5, f"differs by {difference:.1e} of the largest value"

    return check


@pytest.fixture(scope="session")
def assert_cost() -> Callable[..., None]:
    """Parameters and multiply-accumulates of one view against published figures, without computing anything."""

    def check(
        name: str,
        *,
        millions: float | None = None,
        gflops: float | None = None,
        size: int | None = None,
        frames: int | None = None,
        num_classes: int = 400,
        **options: Any,
    ) -> None:
        clip = model_info(name).clip
        size = size or clip.size
        clip = replace(clip, size=size, short_side=max(size, clip.short_side), frames=frames or clip.frames)
        with torch.device("meta"):
            model = create_model(name, num_classes=num_classes, **options)
        if millions is not None:
            assert count_parameters(model) / 1e6 == pytest.approx(millions, rel=0.005)
        if gflops is not None:
            assert count_gflops(model, clip) == pytest.approx(gflops, rel=0.01)

    return check
