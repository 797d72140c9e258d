"""Fixtures shared by every room's tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does; see muybridge.cli


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared folder of real clips and reference outputs, which is never part of the repository."""
    folder = Path(os.environ.get("MUYBRIDGE_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "clips").is_dir():
        pytest.skip(f"no shared folder at {folder}; set MUYBRIDGE_SHARED to where it lies")
    return folder


@dataclass(frozen=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def muybridge(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run `muybridge ...` in this process, as a person would type it."""

    def run(*arguments: object) -> Ran:
        from muybridge.cli import main

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
    from muybridge.data.figures import film_dataset

    folder = tmp_path_factory.mktemp("film")
    return film_dataset(folder, videos_per_class=(4, 1, 1), size=(60, 80), actions=("walk", "fall"))
