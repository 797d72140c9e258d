"""What is learnt: a task knows its loss, its answer and its figures; a trainer knows only this protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from muybridge.data.loading import Batch


class Figures(Protocol):
    """Running figures of one pass over a data set."""

    def update(self, probabilities: Tensor, targets: Tensor) -> None:
        """Count a batch."""

    def merge(self, other: Any) -> None:
        """Add what another process counted (figures of the same kind)."""

    def compute(self) -> dict[str, float]:
        """Named figures, `loss` and the task's `merit` among them; empty if nothing was counted."""


class Task(Protocol):
    """What a trainer needs to know."""

    @property
    def merit(self) -> str:
        """The figure (0..1) that the best epoch is chosen by: `top1`, or `map` where videos show several classes."""

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss (a scalar) and the model's logits on a training batch."""

    def predict(self, model: nn.Module, clips: Tensor) -> Tensor:
        """Answers on test views `(b, v, c, t, h, w)`."""

    def metrics(self) -> Figures:
        """Fresh figures."""
