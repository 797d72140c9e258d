"""Inception-v1 grown along time: the wiring that I3D and S3D share.

Szegedy et al. 2015, "Going Deeper with Convolutions", https://arxiv.org/abs/1409.4842, with batch norm after every
convolution and 3x3x3 in place of its 5x5 convolutions. What a convolution and a strided pool are, the family says.

    clip (c, 32, 224, 224)                       branch 0   1x1x1
      Conv3d_1a_7x7       64  16 112 112         branch 1   1x1x1  3x3x3
      MaxPool3d_2a_3x3    64  16  56  56         branch 2   1x1x1  3x3x3
      Conv3d_2b_1x1       64  16  56  56         branch 3   max pool 3x3x3  1x1x1
      Conv3d_2c_3x3      192  16  56  56           side by side: a Mixed block
      MaxPool3d_3a_3x3   192  16  28  28
      Mixed_3b, 3c       480  16  28  28
      MaxPool3d_4a_3x3   480   8  14  14
      Mixed_4b ... 4f    832   8  14  14
      MaxPool3d_5a_2x2   832   4   7   7
      Mixed_5b, 5c      1024   4   7   7
      Logits               k                     mean over 2x7x7 windows, dropout, linear, mean over windows
      Predictions          k                     softmax
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.models._blocks import Classifier, ClipModel, ConvNorm, Triple, init_residual, scaled

EPS = 1e-3
"""Of every batch norm, as both families were trained."""

Conv = Callable[[int, int, int, int], nn.Module]
"""Channels in, channels out, side of the kernel, stride."""
Pool = Callable[[Triple, Triple], nn.Module]
"""Window, stride."""

_point = partial(ConvNorm, kernel=(1, 1, 1), eps=EPS)

# Channels out of branch 0; reduced to and out of branches 1 and 2; out of branch 3.
_MIXED = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


class Inception3d(ClipModel):
    """Sixteen named layers and a classifier that slides over their maps.

    The classifier sees windows of 2x7x7 positions, the whole picture of 224 pixels, and their logits are averaged.
    DeepMind's I3D refuses smaller maps; here, as in the code of S3D's authors, the window shrinks to what there is.

    Args:
        conv: Makes a convolution with norm and ReLU.
        pool: Makes a max pool that strides.
        channels: Channels of a clip.
        num_classes: Number of classes.
        momentum: Of the batch norms.
        dropout: Before the classifier.
        width: Channels of every layer, as a share of the paper's.
    """

    time_stride = 8
    space_stride = 32
    window = 7

    def __init__(
        self,
        conv: Conv,
        pool: Pool,
        *,
        channels: int,
        num_classes: int,
        momentum: float,
        dropout: float,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.channels = channels
        stem, reach = scaled((64, 192), width)
        self.trunk = nn.Sequential()
        self.trunk.add_module("Conv3d_1a_7x7", conv(channels, stem, 7, 2))
        self.trunk.add_module("MaxPool3d_2a_3x3", pool((1, 3, 3), (1, 2, 2)))
        self.trunk.add_module("Conv3d_2b_1x1", _point(stem, stem))
        self.trunk.add_module("Conv3d_2c_3x3", conv(stem, reach, 3, 1))
        dim = reach
        pools = {
            "Mixed_3b": ("MaxPool3d_3a_3x3", (1, 3, 3), (1, 2, 2)),
            "Mixed_4b": ("MaxPool3d_4a_3x3", (3, 3, 3), (2, 2, 2)),
            "Mixed_5b": ("MaxPool3d_5a_2x2", (2, 2, 2), (2, 2, 2)),
        }
        for name, paper_widths in _MIXED.items():
            widths = scaled(paper_widths, width)
            if name in pools:
                pool_name, window, stride = pools[name]
                self.trunk.add_module(pool_name, pool(window, stride))
            self.trunk.add_module(name, Mixed(dim, widths, conv))
            dim = widths[0] + widths[2] + widths[4] + widths[5]
        self.dim = dim
        init_residual(self)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm3d):
                module.momentum = momentum
        self.head = Classifier(self.dim, num_classes, dropout=dropout)

    @property
    def endpoint_names(self) -> tuple[str, ...]:
        """From `Conv3d_1a_7x7` to `Mixed_5c`, then `Logits` and `Predictions`."""
        return (*(name for name, _ in self.trunk.named_children()), "Logits", "Predictions")

    def features(
        self, clip: Float[Tensor, "b c t h w"], endpoint: str = "Mixed_5c"
    ) -> Float[Tensor, "b d *maps"]:
        """What one endpoint gives; nothing after it is computed.

        Args:
            clip: Clips.
            endpoint: A name of `endpoint_names`; the default is the last maps.

        Returns:
            Maps (b, d, t2, h2, w2); (b, k) for `Logits` and `Predictions`.

        Raises:
            ValueError: Not a clip for this model, or no such endpoint.
        """
        self.check(clip)
        if endpoint not in self.endpoint_names:
            raise ValueError(
                f"{type(self).__name__} has no endpoint {endpoint!r}; it has {', '.join(self.endpoint_names)}"
            )
        x: Tensor = clip
        for name, layer in self.trunk.named_children():
            x = layer(x)
            if name == endpoint:
                return x
        logits = self._slide(x).mean((2, 3, 4))
        return logits if endpoint == "Logits" else logits.softmax(1)

    def endpoints(
        self, clip: Float[Tensor, "b c t h w"], *, spatial_squeeze: bool = True
    ) -> dict[str, Tensor]:
        """What every endpoint gives, in order.

        Args:
            clip: Clips.
            spatial_squeeze: Average the logits over space as well as over time; else `Logits` and `Predictions`
                keep their maps, (b, k, h2, w2), 1x1 of them at 224 pixels.

        Raises:
            ValueError: Not a clip for this model.
        """
        self.check(clip)
        found: dict[str, Tensor] = {}
        x = clip
        for name, layer in self.trunk.named_children():
            x = found[name] = layer(x)
        found["Logits"] = self._slide(x).mean((2, 3, 4) if spatial_squeeze else 2)
        found["Predictions"] = found["Logits"].softmax(1)
        return found

    def logits_over_time(
        self, clip: Float[Tensor, "b c t h w"], *, spatial_squeeze: bool = True
    ) -> Float[Tensor, "b k *windows"]:
        """Logits before their mean over time.

        Args:
            clip: Clips.
            spatial_squeeze: Average over space; else every window's logits are kept.

        Returns:
            (b, k, t2), one step per window of two time steps of the last maps; (b, k, t2, h2, w2) without squeezing.

        Raises:
            ValueError: Not a clip for this model.
        """
        logits = self._slide(self.features(clip))
        return logits.mean((3, 4)) if spatial_squeeze else logits

    def forward(self, clip: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b k"]:
        """Logits, averaged over all windows.

        Raises:
            ValueError: Not a clip for this model.
        """
        return self._slide(self.features(clip)).mean((2, 3, 4))

    def _slide(self, maps: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b k t2 h2 w2"]:
        whole = (2, self.window, self.window) if self.window else (2, *maps.shape[3:])
        window = [min(side, there) for side, there in zip(whole, maps.shape[2:], strict=True)]
        pooled = F.avg_pool3d(maps, window, stride=1)
        logits: Tensor = self.head(pooled.movedim(1, -1)).movedim(-1, 1)
        return logits


class Mixed(nn.Module):
    """Four branches on the same maps, their channels side by side.

    Args:
        width_in: Channels in.
        widths: Channels out of branch 0; reduced to and out of branches 1 and 2; out of branch 3.
        conv: Makes the 3x3x3 convolutions.
    """

    def __init__(self, width_in: int, widths: Sequence[int], conv: Conv) -> None:
        super().__init__()
        out0, mid1, out1, mid2, out2, out3 = widths
        # Stride 1 and odd windows: TensorFlow's SAME padding is symmetric here, and I3D and S3D agree.
        self.branches = nn.ModuleList(
            [
                nn.Sequential(_point(width_in, out0)),
                nn.Sequential(_point(width_in, mid1), conv(mid1, out1, 3, 1)),
                nn.Sequential(_point(width_in, mid2), conv(mid2, out2, 3, 1)),
                nn.Sequential(nn.MaxPool3d(3, stride=1, padding=1), _point(width_in, out3)),
            ]
        )

    def forward(self, x: Float[Tensor, "b d t h w"]) -> Float[Tensor, "b d2 t h w"]:
        return torch.cat([branch(x) for branch in self.branches], 1)
