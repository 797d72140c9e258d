"""What the README tells a person to type, typed."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

import muybridge as mb

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(python)?\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def desk(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the README supposes it: clips to train on, a clip some footage, and a file of weights."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(film, "clips")
    shutil.copytree(film / "test", "footage")
    shutil.copy(film / "test" / "walk" / "walk_s0000.mp4", "clip.mp4")
    torch.save(torchvision.models.video.r3d_18(weights=None).state_dict(), "somebody_elses.pth")
    return tmp_path


@pytest.mark.slow
def test_commands_and_python_of_the_readme_run(
    muybridge: Callable[..., Any], desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = [line for kind, block in BLOCKS if not kind for line in block.splitlines()]
    commands = [
        line.partition("#")[0].partition("|")[0] for line in commands if line.startswith("muybridge ")
    ]
    assert len(commands) >= 6
    for command in commands:
        quick = command.replace("train.epochs=40", "train.epochs=1 data.num_workers=0")
        ran = muybridge(*shlex.split(quick)[1:])
        assert ran.code == 0, f"{command}: {ran.err}"
    assert (desk / "out.mp4").exists()
    assert (desk / "out.html").exists()
    for kind, block in BLOCKS:
        if kind:
            exec(compile(block, "README.md", "exec"), {})
    with mb.Video("out.mp4") as drawn, mb.Video("clip.mp4") as source:
        assert len(drawn) == len(source)


def test_links_of_the_documents_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_first_screen_names_the_verbs_of_the_makefile() -> None:
    verbs = set(
        re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    )
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, flags=re.MULTILINE)) <= verbs
    assert {"demo", "test", "check", "fix"} <= verbs
