"""Files as other projects publish them, opened from the file alone, against the outputs those projects computed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch

from muybridge.checkpoints import open_checkpoint
from muybridge.matching import identify
from muybridge.types import WeightsError

SHARED = Path(os.environ.get("MUYBRIDGE_SHARED", Path(__file__).parents[3] / "shared"))
# Detectors of persons, of actions in space and of actions in time are other tasks.
OTHER_TASKS = re.compile(r"yolov5|bmn|_ava_|_detection|_masks$")
NAMES = sorted(path.stem for path in (SHARED / "parity").glob("*.pt") if not OTHER_TASKS.search(path.stem))

KNOWN = {
    "davidea_c3d": ("DavideA", "c3d"),
    "ig65m_r2plus1d_34_kinetics": ("IG-65M", "r2plus1d_34_32"),
    "kenshohara3d_resnet18": ("Hara", "resnet3d_18"),
    "kenshohara3d_resnet2p1d18": ("Hara", "resnet2p1d_18"),
    "kenshohara3d_resnet50": ("Hara", "resnet3d_50"),
    "kylemin_s3d": ("kylemin", "s3d"),
    "mm_c3d": ("MMAction2", "c3d"),
    "mm_i3d_r50": ("MMAction2", "i3d_r50_32x2"),
    "mm_ircsn_r50": ("MMAction2", "ircsn_r50"),
    "mm_r2plus1d_r34": ("MMAction2", "r2plus1d_r34_8x8"),
    "mm_slowfast_r50_8x8": ("MMAction2", "slowfast_r50_8x8"),
    "mm_slowonly_r50": ("MMAction2", "slow_r50_8x8"),
    "mm_tsn_r50": ("MMAction2", "tsn_r50"),
    "mm_x3d_m": ("MMAction2", "x3d_m"),
    "piergiaj_i3d_rgb": ("piergiaj", "i3d_rgb"),
    "pytorchvideo_csn_r101": ("PyTorchVideo", "ircsn_r101"),
    "pytorchvideo_slow_r50": ("PyTorchVideo", "slow_r50_8x8"),
    "pytorchvideo_slowfast_r50": ("PyTorchVideo", "slowfast_r50_8x8"),
    "pytorchvideo_x3d_s": ("PyTorchVideo", "x3d_s"),
    "slowfast_i3d_8x8_r50": ("PySlowFast", "i3d_r50_8x8"),
    "slowfast_slow_8x8_r50": ("PySlowFast", "slow_r50_8x8"),
    "slowfast_slowfast_8x8_r50": ("PySlowFast", "slowfast_r50_8x8"),
    "slowfast_x3d_s": ("PySlowFast", "x3d_s"),
    "torchvision_mvit_v2_s": ("torchvision", "mvit_v2_s"),
    "torchvision_r2plus1d_18": ("torchvision", "r2plus1d_18"),
    "torchvision_r3d_18": ("torchvision", "r3d_18"),
    "torchvision_s3d": ("torchvision", "s3d"),
}
# MMAction2's C2D and TSN are the same image network; one of them pools along time.
UNDECIDED = {"mm_tsn_r50", "mm_c2d_r50"}
ATTENTION = re.compile(r"mvit|swin")


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", NAMES or [pytest.param("none", marks=pytest.mark.skip(f"no {SHARED}/parity"))]
)
def test_a_published_file_is_recognized_and_gives_its_projects_output(name, references, tmp_path):
    path = tmp_path / "weights.pth"
    references.save_checkpoint(name, path)
    matches = [match for match in identify(path) if not match.reading.inflates]
    meant = None
    if name in KNOWN:
        origin, meant = KNOWN[name]
        assert {match.reading.origin for match in matches} == {origin}
        assert meant in {model for match in matches for model in match.models}
    if len(matches) > 1:
        assert name in UNDECIDED
        with pytest.raises(WeightsError, match=f"leave open which model.*{meant}"):
            open_checkpoint(path)
    loaded = open_checkpoint(path, model=meant if len(matches) > 1 else None)
    expected = references.load(name)
    output = (
        expected.output.mean(2) if expected.output.ndim == 3 else expected.output
    )  # piergiaj's are per time step
    # An image network's peer takes the segments as a batch of frames.
    clip = expected.clip if expected.clip.ndim == 5 else expected.clip.transpose(0, 1).unsqueeze(0)
    with torch.no_grad():
        logits = loaded.model(clip)
    tolerance = 1e-4 if ATTENTION.search(name) else 1e-5
    assert ((logits - output).abs().max() / output.abs().max()).item() <= tolerance
