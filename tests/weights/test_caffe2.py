"""Caffe2's blob names against PySlowFast's own."""

from __future__ import annotations

import re

import pytest

from muybridge.weights.caffe2 import rename, to_pyslowfast

NAMES = {
    "conv1_w": "s1.pathway0_stem.conv.weight",
    "conv1_b": "s1.pathway0_stem.conv.bias",
    "t_conv1_w": "s1.pathway1_stem.conv.weight",
    "conv1_xy_w": "s1.pathway0_stem.conv_xy.weight",
    "res_conv1_bn_s": "s1.pathway0_stem.bn.weight",
    "t_res_conv1_bn_riv": "s1.pathway1_stem.bn.running_var",
    "res2_0_branch1_w": "s2.pathway0_res0.branch1.weight",
    "res2_0_branch1_bn_b": "s2.pathway0_res0.branch1_bn.bias",
    "res4_22_branch2c_w": "s4.pathway0_res22.branch2.c.weight",
    "t_res3_0_branch2a_bn_rm": "s3.pathway1_res0.branch2.a_bn.running_mean",
    "res3_0_branch2b_bn_fc1_w": "s3.pathway0_res0.branch2.se.fc1.weight",
    "res3_0_branch2b_bn_fc2_b": "s3.pathway0_res0.branch2.se.fc2.bias",
    "t_pool1_subsample_w": "s1_fuse.conv_f2s.weight",
    "t_pool1_subsample_bn_s": "s1_fuse.bn.weight",
    "t_res4_5_branch2c_bn_subsample_w": "s4_fuse.conv_f2s.weight",
    "t_res4_22_branch2c_bn_subsample_bn_riv": "s4_fuse.bn.running_var",
    "nonlocal_conv4_1_theta_w": "s4.pathway0_nonlocal1.conv_theta.weight",
    "nonlocal_conv4_1_out_b": "s4.pathway0_nonlocal1.conv_out.bias",
    "nonlocal_conv3_3_bn_s": "s3.pathway0_nonlocal3.bn.weight",
    "conv_5_w": "head.conv_5.weight",
    "conv_5_bn_rm": "head.conv_5_bn.running_mean",
    "lin_5_w": "head.lin_5.weight",
    "pred_w": "head.projection.weight",
    "pred_b": "head.projection.bias",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_blob_gets_its_own_name(name):
    assert rename(name) == NAMES[name]


@pytest.mark.parametrize(
    "name", ["comp_0_conv_1_middle_w", "conv1", "conv1_riv", "res2_0_branch3_w", "", "x"]
)
def test_other_networks_names_stay(name):
    assert rename(name) == name


def test_what_only_training_needs_is_left_out_and_listed():
    blobs = {"conv1_w": 1, "conv1_w_momentum": 2, "lr": 3, "model_iter": 4, "pred_b": 5}
    state, left_out = to_pyslowfast(blobs)
    assert state == {"s1.pathway0_stem.conv.weight": 1, "head.projection.bias": 5}
    assert left_out == ("conv1_w_momentum", "lr", "model_iter")


def test_two_blobs_for_one_tensor_are_refused():
    with pytest.raises(ValueError, match=r"two blobs that both stand for s3_fuse\.bn\.bias"):
        to_pyslowfast({f"t_res3_{block}_branch2c_bn_subsample_bn_b": 0 for block in (2, 3)})


@pytest.mark.shared
def test_the_examples_of_the_projects_own_converter(shared):
    lines = (shared / "keys" / "slowfast_caffe2_name_examples.txt").read_text().splitlines()
    pairs = [line.split("\t") for line in lines if line and not line.startswith("#")]
    pairs = [(blob, key) for blob, key in pairs if not blob.endswith("_momentum")]
    assert len(pairs) > 30
    assert {blob: rename(blob) for blob, _ in pairs} == dict(pairs)


def blob_of(key: str, last: dict[str, int]) -> str:
    """Caffe2's name of a tensor, built from its place in the network.

    Args:
        key: PySlowFast's name.
        last: Last block of each stage of the Fast pathway, behind which its output is carried over.
    """
    unit, _, tensor = key.rpartition(".")
    if unit == "head.projection":
        name = "pred"
    elif fuse := re.fullmatch(r"s(\d)_fuse\.(conv_f2s|bn)", unit):
        place = "t_pool1" if fuse[1] == "1" else f"t_res{fuse[1]}_{last[fuse[1]]}_branch2c_bn"
        name = f"{place}_subsample" + "_bn" * (fuse[2] == "bn")
    elif stem := re.fullmatch(r"s1\.pathway(\d)_stem\.(conv|bn)", unit):
        name = "t_" * (stem[1] == "1") + ("conv1" if stem[2] == "conv" else "res_conv1_bn")
    elif attention := re.fullmatch(r"s(\d)\.pathway0_nonlocal(\d+)\.(?:conv_)?(\w+)", unit):
        name = "nonlocal_conv{}_{}_{}".format(*attention.groups())
    else:
        block = re.fullmatch(r"s(\d)\.pathway(\d)_res(\d+)\.branch([12])\.?([abc]?)(_bn)?", unit)
        assert block is not None, key
        stage, pathway, number, branch, letter, norm = block.groups(default="")
        name = "t_" * (pathway == "1") + f"res{stage}_{number}_branch{branch}{letter}{norm}"
    if name.endswith("_bn"):
        return name + {"weight": "_s", "bias": "_b", "running_mean": "_rm", "running_var": "_riv"}[tensor]
    return name + {"weight": "_w", "bias": "_b"}[tensor]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("network", "tensors"),
    [
        ("slowfast_8x8_r50", 662 - 110),
        ("slowfast_nln_16x8_r101_50_50", None),
        ("i3d_nln_8x8_r50", None),
        ("slow_8x8_r50", None),
        ("c2d_nopool_8x8_r50", None),
    ],
)
def test_every_tensor_of_a_network_is_found_again(network, tensors, shared):
    lines = (shared / "keys" / f"slowfast_{network}.txt").read_text().splitlines()
    keys = [line.split("\t")[0] for line in lines if line and not line.startswith("#")]
    keys = [key for key in keys if not key.endswith("num_batches_tracked")]
    blocks = re.findall(r"s(\d)\.pathway1_res(\d+)", " ".join(keys))
    last = {stage: max(int(n) for s, n in blocks if s == stage) for stage, _ in blocks}
    blobs = {blob_of(key, last): key for key in keys}
    assert len(blobs) == len(keys)
    assert tensors is None or len(blobs) == tensors
    state, left_out = to_pyslowfast(blobs)
    assert state == {key: key for key in keys}
    assert left_out == ()
