"""Image networks that look at a clip frame by frame: torchvision's, up to their last maps.

Keys keep torchvision's names, so that its ImageNet weights fit.

    frame (3, 224, 224)
      ResNet      conv1 7x7, max pool, layer1 ... layer4             2048 7 7   https://arxiv.org/abs/1512.03385
      GoogLeNet   Inception-v1 with batch norm, conv1 ... inception5b  1024 7 7   https://arxiv.org/abs/1409.4842
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import googlenet, resnet50, resnet101

STRIDE = 32
"""Pixels per step of the maps, for every network of this file."""


def resnet(depth: int, *, channels: int = 3) -> tuple[nn.Sequential, int]:
    """ResNet-50 or ResNet-101 with fresh weights.

    Args:
        depth: 50 or 101.
        channels: Channels of a frame.

    Returns:
        Frames (n, c, h, w) to maps (n, d, h / 32, w / 32), and their number of channels `d`.
    """
    network = {50: resnet50, 101: resnet101}[depth](weights=None)
    if channels != 3:
        network.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    return _trunk(network, names), network.fc.in_features


def inception(*, channels: int = 3) -> tuple[nn.Sequential, int]:
    """Inception-v1 with batch norm and fresh weights.

    Args:
        channels: Channels of a frame.

    Returns:
        Frames (n, c, h, w) to maps (n, d, h / 32, w / 32), and their number of channels `d`.
    """
    # torchvision's own initialisation draws from a truncated normal, which takes seconds.
    network = googlenet(weights=None, aux_logits=False, init_weights=False)
    if channels != 3:
        network.conv1.conv = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    names = "conv1 maxpool1 conv2 conv3 maxpool2 inception3a inception3b maxpool3 inception4a inception4b inception4c "
    names += "inception4d inception4e maxpool4 inception5a inception5b"
    return _trunk(network, names.split()), network.fc.in_features


def frame_by_frame(network: nn.Module, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h2 w2"]:
    """Maps of every frame, by an image network that knows no time."""
    frames = clip.transpose(1, 2).flatten(0, 1)
    maps: Tensor = network(frames)
    return maps.reshape(clip.shape[0], clip.shape[2], *maps.shape[1:]).transpose(1, 2)


def _trunk(network: nn.Module, names: Iterable[str]) -> nn.Sequential:
    return nn.Sequential(OrderedDict((name, network.get_submodule(name)) for name in names))
