"""What the families share: the contract of a clip model, and the units that residual networks are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Triple = tuple[int, int, int]


class ClipModel(nn.Module):
    """The contract of every model: one clip in, logits out, and feature maps on request.

    A family sets `dim`, `time_stride`, `space_stride` and `head`, and writes `features`. Where the logits are
    more than the classifier on averaged features, it writes `forward` too.

    Attributes:
        channels: Channels of a clip (`c`).
        dim: Channels of the feature maps (`d`).
        time_stride: Frames of the clip per step of the feature maps.
        space_stride: Pixels of the clip per step of the feature maps.
        head: The last layer; everything else is the backbone.
        window: Side of the squares of last maps that are classified each, see `slide`; 0 for the whole maps.
    """

    channels: int = 3
    dim: int
    time_stride: int
    space_stride: int
    head: Classifier
    window: int = 0

    @property
    def classifiers(self) -> tuple[Classifier, ...]:
        """The last layers: one, unless several streams each have their own."""
        return (self.head,)

    @property
    def num_classes(self) -> int:
        """Number of classes (`k`)."""
        return self.classifiers[0].linear.out_features

    def features(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t2 h2 w2"]:
        """Feature maps, before any pooling over time or space.

        Raises:
            ValueError: The clip has the wrong rank or number of channels, or is not floating point.
        """
        raise NotImplementedError

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits.

        Raises:
            ValueError: The clip has a wrong shape for this model, or is not floating point.
        """
        logits: Tensor = self.head(slide(self.features(clip), self.window).mean((2, 3)))
        return logits

    def reset_head(self, num_classes: int) -> None:
        """Replace the classifier by a fresh one for another number of classes."""
        for classifier in self.classifiers:
            classifier.reset(num_classes)

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the classifier."""
        for classifier in self.classifiers:
            yield from classifier.parameters()

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """All parameters but the classifier's."""
        head = set(self.head_parameters())
        return (p for p in self.parameters() if p not in head)

    def check(self, clip: Tensor) -> None:
        """Refuse what is not a float clip (b, c, t, h, w) in plain words, before a layer does it in riddles.

        Raises:
            ValueError: Wrong rank, number of channels or type of number.
        """
        if clip.ndim != 5 or clip.shape[1] != self.channels:
            raise ValueError(
                f"{type(self).__name__} got a tensor of shape {tuple(clip.shape)}; "
                f"it takes clips (batch, {self.channels}, frames, height, width)"
            )
        if not clip.is_floating_point():
            raise ValueError(
                f"{type(self).__name__} got {clip.dtype}; it takes floats, scaled to 0..1 and normalised"
            )


def slide(maps: Float[Tensor, "b d t h w"], window: int) -> Float[Tensor, "b d h2 w2"]:
    """Mean over time, and over every square window of the maps.

    Where a network was trained on clips that fill one window, PySlowFast and PyTorchVideo classify each window of a
    larger one and average what they find, which counts the middle for more than the rim.

    Args:
        maps: Last maps.
        window: Side of the windows; they shrink to maps that are smaller. 0: one window, the whole maps.
    """
    if not window or max(maps.shape[3:]) <= window:
        return maps.mean((2, 3, 4))[:, :, None, None]
    h, w = (min(window, side) for side in maps.shape[3:])
    return F.avg_pool2d(maps.mean(2), (h, w), stride=1)


class Classifier(nn.Module):
    """Dropout and one linear layer.

    Args:
        dim: Features in.
        num_classes: Logits out.
        dropout: Probability that a feature is dropped in training.
        std: Standard deviation of the fresh weights; the bias starts at zero.
    """

    def __init__(self, dim: int, num_classes: int, *, dropout: float, std: float = 0.01) -> None:
        super().__init__()
        self.std = std
        self.dropout = nn.Dropout(dropout)
        self.linear = self._fresh(dim, num_classes)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b k"]:
        logits: Tensor = self.linear(self.dropout(x))
        return logits

    def reset(self, num_classes: int) -> None:
        """Start again with another number of classes, on the same device and in the same precision."""
        old = self.linear
        self.linear = self._fresh(old.in_features, num_classes).to(old.weight.device, old.weight.dtype)

    def _fresh(self, dim: int, num_classes: int) -> nn.Linear:
        if num_classes < 1:
            raise ValueError(f"num_classes is {num_classes}; a model needs at least 1 class")
        linear = nn.Linear(dim, num_classes)
        nn.init.normal_(linear.weight, std=self.std)
        nn.init.zeros_(linear.bias)
        return linear


class ConvNorm(nn.Module):
    """Convolution, batch norm, ReLU; the latter two where wanted. Stride 2 halves a size, rounded up."""

    def __init__(
        self,
        width_in: int,
        width_out: int,
        kernel: Triple,
        *,
        stride: Triple = (1, 1, 1),
        groups: int = 1,
        eps: float = 1e-5,
        norm: bool = True,
        relu: bool = True,
    ) -> None:
        super().__init__()
        t, h, w = kernel
        padding = (t // 2, h // 2, w // 2)
        self.conv = nn.Conv3d(
            width_in, width_out, kernel, stride=stride, padding=padding, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm3d(width_out, eps=eps) if norm else nn.Identity()
        self.relu = relu

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d2 t2 h2 w2"]:
        x = self.norm(self.conv(x))
        return F.relu(x, inplace=True) if self.relu else x


class Residual(nn.Module):
    """`relu(branch(x) + shortcut(x))`: the block of He et al. 2016 (https://arxiv.org/abs/1512.03385).

    The shortcut is the identity where shapes agree, else a 1x1x1 convolution with batch norm (type B).
    """

    def __init__(self, branch: nn.Module, width_in: int, width_out: int, stride: Triple) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut: nn.Module | None = None
        if width_in != width_out or stride != (1, 1, 1):
            self.shortcut = ConvNorm(width_in, width_out, (1, 1, 1), stride=stride, relu=False)

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d2 t2 h2 w2"]:
        kept = x if self.shortcut is None else self.shortcut(x)
        return F.relu(self.branch(x) + kept, inplace=True)


def basic_block(width_in: int, width: int, *, stride: Triple = (1, 1, 1)) -> Residual:
    """Two 3x3x3 convolutions, `width` channels out; the first one strides."""
    branch = nn.Sequential(
        ConvNorm(width_in, width, (3, 3, 3), stride=stride),
        ConvNorm(width, width, (3, 3, 3), relu=False),
    )
    return Residual(branch, width_in, width, stride)


def bottleneck(
    width_in: int,
    width: int,
    *,
    stride: Triple = (1, 1, 1),
    kernels: tuple[Triple, Triple] = ((1, 1, 1), (3, 3, 3)),
) -> Residual:
    """Reduce to `width` channels, convolve, expand to four times as many; the middle convolution strides.

    Args:
        width_in: Channels in.
        width: Channels inside.
        stride: Of the block.
        kernels: Of the reducing and of the middle convolution. 3D ResNets look along time in the middle one,
            (1, 1, 1) and (3, 3, 3); the I3D and SlowFast line in the first one, (3, 1, 1) and (1, 3, 3).
    """
    branch = nn.Sequential(
        ConvNorm(width_in, width, kernels[0]),
        ConvNorm(width, width, kernels[1], stride=stride),
        ConvNorm(width, 4 * width, (1, 1, 1), relu=False),
    )
    return Residual(branch, width_in, 4 * width, stride)


def scaled(widths: Sequence[int], share: float) -> tuple[int, ...]:
    """Channels of a narrower (or wider) network: each a share of the paper's, rounded.

    Raises:
        ValueError: A share that leaves a layer without channels.
    """
    if not share * min(widths) >= 1:
        raise ValueError(f"width is {share}; it leaves a layer of {min(widths)} channels without any")
    return tuple(round(width * share) for width in widths)


def init_residual(network: nn.Module, *, zero_last_norm: bool = False) -> None:
    """He initialisation (fan out) of every convolution; batch norms start as the identity.

    Args:
        network: Filled in place.
        zero_last_norm: Let every residual branch start as zero (Goyal et al. 2017,
            https://arxiv.org/abs/1706.02677).
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif zero_last_norm and isinstance(module, Residual):
            last = [m for m in module.branch.modules() if isinstance(m, nn.BatchNorm3d)][-1]
            nn.init.zeros_(last.weight)
