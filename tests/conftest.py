"""Fixtures shared by every room's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared folder of real clips and reference outputs, which is never part of the repository."""
    folder = Path(os.environ.get("MUYBRIDGE_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "clips").is_dir():
        pytest.skip(f"no shared folder at {folder}; set MUYBRIDGE_SHARED to where it lies")
    return folder
