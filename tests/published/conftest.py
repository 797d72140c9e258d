"""Weight files as their projects publish them, rebuilt from the shared folder."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def references(shared: Path) -> ModuleType:
    """The module that rebuilds the peers' checkpoints: `load(name)`, `save_checkpoint(name, path)`."""
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
    return module
