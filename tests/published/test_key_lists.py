"""The complete key lists of published variants: each of our families' is recognized, strictly, and no other's is."""

from __future__ import annotations

import os
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch

from muybridge.models import create_model, model_info
from muybridge.published import Reading, list_weights, readings
from muybridge.weights.remap import remap

SHARED = Path(os.environ.get("MUYBRIDGE_SHARED", Path(__file__).parents[3] / "shared"))

# Pattern of the list's name -> origin, model (or one that shares its network).
KNOWN = {
    "davidea_c3d": ("DavideA", "c3d"),
    "deepmind_i3d_tf_flow_*": ("DeepMind", "i3d_flow"),
    "deepmind_i3d_tf_rgb_*": ("DeepMind", "i3d_rgb"),
    "ig65m_r2plus1d_34_8_ig65m": ("IG-65M", "r2plus1d_34_8"),
    "ig65m_r2plus1d_34_*": ("IG-65M", "r2plus1d_34_32"),
    "kenshohara3d_preact*": ("Hara", "preact_resnet3d_*"),
    "kenshohara3d_resnet2p1d*": ("Hara", "resnet2p1d_*"),
    "kenshohara3d_resnet18_shortcutA": ("Hara", "resnet3d_18"),
    "kenshohara3d_resnet*": ("Hara", "resnet3d_*"),
    "kenshohara3d_resnext*": ("Hara", "resnext3d_*"),
    "kenshohara3d_wide50_k2": ("Hara", "wide_resnet3d_50"),
    "kylemin_s3d": ("kylemin", "s3d"),
    "mm_c2d_r50": ("MMAction2", "c2d_r50"),
    "mm_c3d": ("MMAction2", "c3d"),
    "mm_i3d_r50*": ("MMAction2", "i3d_r50_32x2"),
    "mm_ipcsn_r152": ("MMAction2", "ipcsn_r152"),
    "mm_ircsn_r152": ("MMAction2", "ircsn_r152"),
    "mm_ircsn_r50": ("MMAction2", "ircsn_r50"),
    "mm_mvit_small": ("MMAction2", "mvit_v2_s"),
    "mm_r2plus1d_r34": ("MMAction2", "r2plus1d_r34_8x8"),
    "mm_slowfast_r50_4x16": ("MMAction2", "slowfast_r50_4x16"),
    "mm_slowfast_r50_*": ("MMAction2", "slowfast_r50_8x8"),
    "mm_slowonly_r50*": ("MMAction2", "slow_r50_8x8"),
    "mm_swin_tiny": ("MMAction2", "swin3d_t"),
    "mm_tsm_r50": ("MMAction2", "tsm_r50"),
    "mm_tsn_r50": ("MMAction2", "tsn_r50"),
    "mm_x3d_m": ("MMAction2", "x3d_m"),
    "piergiaj_i3d_flow": ("piergiaj", "i3d_flow"),
    "piergiaj_i3d_rgb*": ("piergiaj", "i3d_rgb"),
    "pytorchvideo*_c2d_r50": ("PyTorchVideo", "c2d_r50"),
    "pytorchvideo*_csn_r101": ("PyTorchVideo", "ircsn_r101"),
    "pytorchvideo*_efficient_x3d_s": ("PyTorchVideo", "x3d_s"),
    "pytorchvideo*_efficient_x3d_xs": ("PyTorchVideo", "x3d_xs"),
    "pytorchvideo*_i3d_r50": ("PyTorchVideo", "i3d_r50_8x8"),
    "pytorchvideo*_mvit_base_16x4": ("PyTorchVideo", "mvit_v1_b"),
    "pytorchvideo*_mvit_base_32x3": ("PyTorchVideo", "mvit_v1_b_32x3"),
    "pytorchvideo*_r2plus1d_r50": ("PyTorchVideo", "r2plus1d_r50"),
    "pytorchvideo*_slow_r50": ("PyTorchVideo", "slow_r50_8x8"),
    "pytorchvideo*_slowfast_16x8_r101_50_50": ("PyTorchVideo", "slowfast_r101_16x8"),
    "pytorchvideo*_slowfast_r101": ("PyTorchVideo", "slowfast_r101_8x8"),
    "pytorchvideo*_slowfast_r50": ("PyTorchVideo", "slowfast_r50_8x8"),
    "pytorchvideo*_x3d_l": ("PyTorchVideo", "x3d_l"),
    "pytorchvideo*_x3d_m": ("PyTorchVideo", "x3d_m"),
    "pytorchvideo*_x3d_s": ("PyTorchVideo", "x3d_s"),
    "pytorchvideo*_x3d_xs": ("PyTorchVideo", "x3d_xs"),
    "slowfast_c2d_8x8_r50": ("PySlowFast", "c2d_r50"),
    "slowfast_c2d_nopool_8x8_r50": ("PySlowFast", "c2d_r50_nopool"),
    "slowfast_i3d_*": ("PySlowFast", "i3d_r50_8x8"),
    "slowfast_moco_slow_r50": ("PySlowFast", "slow_r50_8x8"),
    "slowfast_mvit_b_16x4_conv": ("PySlowFast", "mvit_v1_b"),
    "slowfast_mvit_b_32x3_conv": ("PySlowFast", "mvit_v1_b*32x3"),
    "slowfast_mvitv2_b_32x3": ("PySlowFast", "mvit_v2_b_32x3"),
    "slowfast_mvitv2_l_40x3": ("PySlowFast", "mvit_v2_l_40x3"),
    "slowfast_mvitv2_s_16x4": ("PySlowFast", "mvit_v2_s"),
    "slowfast_ptv_slow_8x8_r50": ("PyTorchVideo", "slow_r50_8x8"),
    "slowfast_slow_*": ("PySlowFast", "slow_r50_8x8"),
    "slowfast_slowfast_*_16x8_r101*": ("PySlowFast", "slowfast_r101_16x8"),
    "slowfast_slowfast_16x8_r101*": ("PySlowFast", "slowfast_r101_16x8"),
    "slowfast_slowfast_4x16_r50": ("PySlowFast", "slowfast_r50_4x16"),
    "slowfast_slowfast_8x8_r101*": ("PySlowFast", "slowfast_r101_*"),
    "slowfast_slowfast_8x8_r50*": ("PySlowFast", "slowfast_r50_8x8"),
    "slowfast_ssv2_slowfast_16x8_r50": ("PySlowFast", "slowfast_r50_*"),
    "slowfast_x3d_l": ("PySlowFast", "x3d_l"),
    "slowfast_x3d_m": ("PySlowFast", "x3d_m"),
    "slowfast_x3d_s": ("PySlowFast", "x3d_s"),
    "slowfast_x3d_xs": ("PySlowFast", "x3d_xs"),
    "torchvision_mc3_18": ("torchvision", "mc3_18"),
    "torchvision_mvit_v1_b": ("torchvision", "mvit_v1_b"),
    "torchvision_mvit_v2_s": ("torchvision", "mvit_v2_s"),
    "torchvision_r2plus1d_18": ("torchvision", "r2plus1d_18"),
    "torchvision_r3d_18": ("torchvision", "r3d_18"),
    "torchvision_s3d": ("torchvision", "s3d"),
    "torchvision_swin3d_b": ("torchvision", "swin3d_b"),
    "torchvision_swin3d_s": ("torchvision", "swin3d_s"),
    "torchvision_swin3d_t*": ("torchvision", "swin3d_t"),
}
# Detectors whose backbones and classifiers have a recognizer's very keys.
LIKE_RECOGNIZERS = {"slowfast_ava_slow_8x8_r50"}
# Tables of names, not key lists.
TABLES = {"deepmind_i3d_tf_to_piergiaj", "slowfast_caffe2_name_examples"}
NAMES = sorted(
    path.stem for path in (SHARED / "keys").glob("*.txt") if path.stem not in TABLES | LIKE_RECOGNIZERS
)


def read(path: Path) -> dict[str, torch.Tensor]:
    """Tensors without memory: `key, dtype, shape` or `key, shape, dtype` per line."""
    state = {}
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        key, *facts = line.split("\t")
        shape = next(fact for fact in facts if fact.startswith("("))
        kind = next(
            (f.removeprefix("torch.") for f in facts if hasattr(torch, f.removeprefix("torch."))), "float32"
        )
        size = tuple(int(number) for number in re.findall(r"\d+", shape))
        state[key] = torch.empty(size, dtype=getattr(torch, kind), device="meta")
    for prefix in ("module.", "model."):
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def proven(state: dict[str, torch.Tensor]) -> list[Reading]:
    """Readings that account for every key, strictly."""
    found = []
    for reading in readings({key: tuple(tensor.shape) for key, tensor in state.items()}):
        with torch.device("meta"):
            network = create_model(reading.model, num_classes=reading.num_classes, **reading.options)
        renamed, remapped = remap(dict(state), network.state_dict(), reading)
        if remapped.is_complete:
            assert set(renamed) == set(network.state_dict()) or reading.inflates
            assert len(remapped.used) + len(remapped.ignored) == len(state)
            found.append(reading)
    return found


@pytest.mark.shared
@pytest.mark.parametrize("name", NAMES or [pytest.param("none", marks=pytest.mark.skip(f"no {SHARED}/keys"))])
def test_a_key_list_is_its_family_or_nobodys(name):
    found = proven(read(SHARED / "keys" / f"{name}.txt"))
    known = next((facts for pattern, facts in KNOWN.items() if fnmatchcase(name, pattern)), None)
    if known is None:
        assert not found
        return
    origin, model = known
    assert found
    assert {reading.origin for reading in found} == {origin}
    models = [name for reading in found for name in (reading.model, *reading.twins)]
    assert any(fnmatchcase(name, model) for name in models)


def test_published_weights_name_models_that_take_their_options_and_clips():
    entries = list_weights()
    assert len({entry.name for entry in entries}) == len(entries)
    for entry in entries:
        info = model_info(entry.model)
        assert entry.name.startswith(f"{entry.model}."), entry.name
        assert entry.clip.modality == info.clip.modality, entry.name
        assert re.match(r"https?://", entry.url), entry.name
        assert re.fullmatch(r"[0-9a-f]{0,64}", entry.sha256), entry.name
        assert entry.licence, entry.name
        assert all(0 < score <= 100 for score in entry.scores.values()), entry.name
        assert re.fullmatch(r"(\d+x\d+)?", entry.views), entry.name


@pytest.mark.parametrize("name", sorted({entry.model for entry in list_weights()}))
def test_published_weights_build(name):
    for options in {repr(e.options): e.options for e in list_weights() if e.model == name}.values():
        with torch.device("meta"):
            create_model(name, num_classes=400, **options)
