"""Blob names of Caffe2 files, in which PySlowFast publishes its first models, become PySlowFast's own names.

A blob's name is a path through the network, joined by underscores, and one of a few endings:

    t_res3_0_branch2a_bn_riv        Fast pathway, stage 3, block 0, convolution a's batch norm, variance
    nonlocal_conv4_1_theta_w        stage 4, behind block 1, the non-local block's first convolution, weight
    t_res3_3_branch2c_bn_subsample_w    what carries stage 3 of the Fast pathway over to the Slow one
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

_T = TypeVar("_T")

_UNITS = {
    r"(?P<fast>t_)?conv1": "s1.pathway{p}_stem.conv",
    r"conv1_xy": "s1.pathway0_stem.conv_xy",
    r"(?P<fast>t_)?res_conv1(?P<bn>_bn)": "s1.pathway{p}_stem.bn",
    r"(?P<fast>t_)?res(\d)_(\d+)_branch1(?P<bn>_bn)?": "s{0}.pathway{p}_res{1}.branch1{bn}",
    r"(?P<fast>t_)?res(\d)_(\d+)_branch2([abc])(?P<bn>_bn)?": "s{0}.pathway{p}_res{1}.branch2.{2}{bn}",
    r"(?P<fast>t_)?res(\d)_(\d+)_branch2b_bn_fc(\d)": "s{0}.pathway{p}_res{1}.branch2.se.fc{2}",
    r"t_pool1_subsample": "s1_fuse.conv_f2s",
    r"t_pool1_subsample(?P<bn>_bn)": "s1_fuse.bn",
    r"t_res(\d)_\d+_branch2c_bn_subsample": "s{0}_fuse.conv_f2s",
    r"t_res(\d)_\d+_branch2c_bn_subsample(?P<bn>_bn)": "s{0}_fuse.bn",
    r"nonlocal_conv(\d)_(\d+)_(theta|phi|g|out)": "s{0}.pathway0_nonlocal{1}.conv_{2}",
    r"nonlocal_conv(\d)_(\d+)(?P<bn>_bn)": "s{0}.pathway0_nonlocal{1}.bn",
    r"conv_5(?P<bn>_bn)?": "head.conv_5{bn}",
    r"lin_5": "head.lin_5",
    r"pred": "head.projection",
}
_UNITS_OF = [(re.compile(pattern), name) for pattern, name in _UNITS.items()]
_TENSORS = {"w": "weight", "b": "bias"}
# riv is spelled like the inverse of a deviation; what the files hold is the variance.
_NORM_TENSORS = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_TRAINING = re.compile(r".*_momentum|lr|model_iter")


def rename(name: str) -> str:
    """PySlowFast's name for a blob; the blob's own if it isn't one of PySlowFast's networks."""
    unit, _, ending = name.rpartition("_")
    for pattern, target in _UNITS_OF:
        if found := pattern.fullmatch(unit):
            named = found.groupdict()
            endings = _NORM_TENSORS if named.get("bn") else _TENSORS
            if ending not in endings:
                break
            numbers = [group for group in found.groups() if group and group not in ("t_", "_bn")]
            path = target.format(*numbers, p=1 if named.get("fast") else 0, bn=named.get("bn") or "")
            return f"{path}.{endings[ending]}"
    return name


def to_pyslowfast(blobs: Mapping[str, _T]) -> tuple[dict[str, _T], tuple[str, ...]]:
    """A state dict in PySlowFast's names.

    Values stay as they are. Caffe2 keeps a 1x1x1 convolution that acts as a linear layer as `(out, in)`, where
    PySlowFast has `(out, in, 1, 1, 1)`: whoever fills a model appends the axes it lacks.

    Args:
        blobs: The file's blobs.

    Returns:
        The state dict, and the blobs left out because only training needs them: momenta, learning rate, iteration.

    Raises:
        ValueError: Two blobs that stand for the same tensor.
    """
    state: dict[str, _T] = {}
    left_out = []
    for name, blob in blobs.items():
        if _TRAINING.fullmatch(name):
            left_out.append(name)
            continue
        target = rename(name)
        if target in state:
            raise ValueError(f"two blobs that both stand for {target}")
        state[target] = blob
    return state, tuple(left_out)
