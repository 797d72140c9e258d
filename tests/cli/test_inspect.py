"""Commands that only look, and how fast the command line answers for help."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import muybridge as mb

Run = Callable[..., Any]
COMMANDS = [
    [],
    ["recognize"],
    ["train"],
    ["test"],
    ["models"],
    ["video", "info"],
    ["data", "check"],
    ["doctor"],
    ["demo"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c) or "muybridge")
def test_every_command_explains_itself(command: list[str], muybridge: Run) -> None:
    ran = muybridge(*command, "--help")
    assert ran.code == 0
    assert ran.out.startswith("Usage: muybridge")


def test_help_wakes_no_heavy_package() -> None:
    script = (
        "import sys; sys.argv = ['muybridge', 'train', '--help']\n"
        "from muybridge.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'torchvision', 'lightning', 'av', 'matplotlib', 'numpy'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_models_are_listed_by_family(muybridge: Run) -> None:
    ran = muybridge("models", "*slow*")
    for name in mb.list_models("*slow*"):
        assert name in ran.out
    assert "two_stream" not in ran.out
    assert {"slowfast", "inflated", "x3d", "i3d"} <= set(muybridge("models").out.split())
    none = muybridge("models", "*absent*")
    assert none.code == 2
    assert "no model matches '*absent*'" in none.err
    assert "did you mean mvit_v2_s.k400" in muybridge("models", "mvit_v2_s.k401").err


def test_a_whole_name_tells_all_about_a_model_or_weights(muybridge: Run) -> None:
    card = muybridge("models", "slowfast_r50_8x8").out
    assert "34.57 M" in card
    assert "1812.03982" in card
    assert "slowfast_r50_8x8.k400" in card
    weights = muybridge("models", "mvit_v2_s.k400").out
    assert "https://download.pytorch.org/models/mvit_v2_s-ae3be167.pth" in weights
    assert "80.757" in weights
    listed = muybridge("models", "--weights", "mvit*").out
    assert "sha256 ae3be167" in listed
    assert muybridge("models", "--weights", "*absent*").code == 2
    assert "muybridge recognize VIDEO --model i3d_flow.k400" in muybridge("models", "i3d_flow.k400").out


def test_video_info_tells_what_was_filmed(muybridge: Run, film: Path) -> None:
    path = film / "test" / "walk" / "walk_s0000.mp4"
    told = json.loads(muybridge("video", "info", path, "--json").out)
    assert (told["width"], told["height"]) == (80, 60)
    assert Fraction(told["fps"]) in (25, 30)
    assert told["duration_s"] == pytest.approx(told["num_frames"] / float(Fraction(told["fps"])), abs=1e-6)
    assert "80 x 60 px" in muybridge("video", "info", path).out


def test_data_check_finds_the_broken_and_the_repeated(muybridge: Run, film: Path, tmp_path: Path) -> None:
    assert muybridge("data", "check", film).code == 0
    data = tmp_path / "data"
    shutil.copytree(film, data)
    shutil.copy(next((data / "train" / "walk").iterdir()), data / "test" / "walk" / "again.mp4")
    (data / "train" / "fall" / "broken.mp4").write_bytes(b"no film at all" * 100)
    ran = muybridge("data", "check", data)
    assert ran.code == 2
    assert "broken.mp4" in ran.out
    assert "again.mp4" in ran.out


def test_doctor_says_that_all_is_well(muybridge: Run) -> None:
    ran = muybridge("doctor")
    assert ran.code == 0, ran.out
    assert "all is well" in ran.out
    assert "h264" in ran.out
