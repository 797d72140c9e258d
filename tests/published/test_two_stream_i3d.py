"""Two-stream I3D, filled with both of its authors' files: what it says is the sum of what its towers say."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from muybridge.checkpoints import open_checkpoint
from muybridge.matching import identify
from muybridge.models import create_model


def written_from_keys(keys: Path, path: Path) -> None:
    """A file with every tensor of a key list, and nothing else."""
    torch.manual_seed(1)
    state: dict[str, Tensor] = {}
    for line in keys.read_text().splitlines():
        if line.startswith("#"):
            continue
        key, dtype, text = line.split("\t")
        shape = [int(size) for size in text.strip("()").split(",") if size.strip()]
        if dtype == "int64":
            state[key] = torch.zeros(shape, dtype=torch.int64)
        elif key.endswith("running_var") or (len(shape) == 1 and key.endswith("weight")):
            state[key] = 0.5 + torch.rand(shape)
        else:
            state[key] = torch.randn(shape) / math.sqrt(math.prod(shape[1:]) if len(shape) > 1 else 100)
    torch.save(state, path)


@pytest.mark.shared
def test_the_joint_logits_are_the_sum_of_both_towers(
    references: ModuleType, shared: Path, tmp_path: Path
) -> None:
    references.save_checkpoint("piergiaj_i3d_rgb", tmp_path / "rgb.pt")
    written_from_keys(shared / "keys" / "piergiaj_i3d_flow.txt", tmp_path / "flow.pt")
    (match,) = identify(tmp_path / "flow.pt")
    assert len(match.remapped.used) == 344  # every key has its place
    assert match.remapped.is_complete
    assert not match.remapped.ignored
    assert not match.remapped.filled
    rgb, flow = (open_checkpoint(tmp_path / f"{name}.pt") for name in ("rgb", "flow"))
    assert (rgb.name, flow.name) == ("i3d_rgb", "i3d_flow")
    assert rgb.labels == flow.labels

    both = create_model("two_stream_i3d").eval()
    state = {f"rgb.{key}": value for key, value in rgb.model.state_dict().items()}
    state |= {f"flow.{key}": value for key, value in flow.model.state_dict().items()}
    both.load_state_dict(state)
    reference = references.load("piergiaj_i3d_rgb")
    motion = torch.rand(1, 2, *reference.clip.shape[2:]) * 2 - 1
    with torch.no_grad():
        joint = both(torch.cat([reference.clip, motion], dim=1))
        # The same flow tower as one of RGB that is blind to a third channel: that network is proven against its peer.
        blind = create_model("i3d_rgb").eval()
        first = "trunk.Conv3d_1a_7x7.conv.weight"
        kernel = flow.model.state_dict()[first]
        padded = torch.cat([kernel, torch.zeros_like(kernel[:, :1])], dim=1)
        blind.load_state_dict(flow.model.state_dict() | {first: padded})
        moves = blind(torch.cat([motion, torch.rand_like(motion[:, :1])], dim=1))
    expected = reference.output.mean(2) + moves  # theirs are per time step
    assert ((joint - expected).abs().max() / expected.abs().max()).item() <= 1e-5
    assert moves.std() > 0.01 * expected.std()  # both towers have their say
