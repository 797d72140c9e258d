"""The peers' checkpoints and outputs, rebuilt from the shared folder."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor


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
