"""The room's own helper, as a fixture: test files can't import one another."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def films() -> ModuleType:
    """The module `films.py`: numbered pictures, films of them, plain decoding."""
    path = Path(__file__).with_name("films.py")
    spec = importlib.util.spec_from_file_location("films", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
