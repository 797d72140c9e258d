from __future__ import annotations

import pytest
import torch
from torch import nn

from muybridge.models.recurrent import Recurrent


def test_cost_is_the_papers(assert_cost):
    assert_cost("lstm_inception", millions=9.0)  # Carreira and Zisserman 2017, table 1


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3)])
@pytest.mark.parametrize(
    ("network", "millions", "gflops", "dim"),
    # torchvision's figures for images, less their classifiers of 1000 classes.
    [("inception", 6.62 - 1.025, 1.498, 1024), ("r50", 25.557 - 2.049, 4.089, 2048)],
)
def test_cost_is_the_image_networks_and_the_cells(cell, gates, network, millions, gflops, dim, assert_cost):
    read = gates * (512 * (dim + 512) + 2 * 512) + 2 * dim
    classifier = 512 * 400 + 400
    assert_cost(
        f"{cell}_{network}", millions=millions + (read + classifier) / 1e6, gflops=25 * (gflops + read / 1e9)
    )


@pytest.mark.parametrize(("cell", "layer"), [("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_logits_are_those_after_the_last_frame(cell, layer, assert_same):
    torch.manual_seed(0)
    model = Recurrent(nn.Identity(), dim=3, space_stride=1, cell=cell, hidden=5, num_classes=2, dropout=0.0)
    model.norm.running_mean.uniform_()
    model.norm.running_var.uniform_(0.5, 1.5)
    model.eval()
    whole = layer(3, 5, batch_first=True)
    whole.load_state_dict({f"{key}_l0": value for key, value in model.cell.state_dict().items()})
    clip = torch.randn(2, 3, 6, 4, 4)
    with torch.no_grad():
        outputs, _ = whole(model.norm(clip.mean((3, 4))).transpose(1, 2))
        assert_same(model(clip), model.head(outputs[:, -1]))


def test_unknown_cell_is_refused():
    with pytest.raises(ValueError, match="'lstm' or 'gru'"):
        Recurrent(nn.Identity(), dim=3, cell="rnn", num_classes=2, dropout=0.0)
