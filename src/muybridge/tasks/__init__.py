"""What is learnt: a task knows its loss, its answer and its figures; a trainer knows only this protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from muybridge.data.loading import Batch


class Figures(Protocol):
    """Running figures of one pass over a data set."""

    sums: Tensor
    """Everything that was counted, as one float64 vector; processes add theirs."""

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Count a batch."""

    def compute(self) -> dict[str, float]:
        """Named figures, `loss` and `top1` among them; empty if nothing was counted."""


class Task(Protocol):
    """What a trainer needs to know."""

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss (a scalar) and the model's logits on a training batch."""

    def predict(self, model: nn.Module, clips: Tensor) -> Tensor:
        """Answers on test views `(b, v, c, t, h, w)`."""

    def metrics(self) -> Figures:
        """Fresh figures."""
