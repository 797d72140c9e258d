"""The inner iterations of TV-L1, where its time goes: in one form for PyTorch as it is, in one for its compiler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_MOST_STEPS = 5
"""Inner iterations between two looks at the rule to stop, at most."""

Iterate = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The parameters, with OpenCV's names and defaults; see `muybridge.flow.tvl1.open_tvl1`."""

    tau: float = 0.25
    lambda_: float = 0.15
    theta: float = 0.3
    scales: int = 5
    warps: int = 5
    epsilon: float = 0.01
    inner: int = 30
    outer: int = 10
    scale_step: float = 0.8
    median: int = 5

    def __post_init__(self) -> None:
        for name in ("tau", "lambda_", "theta"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be positive")
        for name in ("scales", "warps", "inner", "outer"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.tau > 0.25:
            raise ValueError(f"tau is {self.tau}; above 0.25 the iterations need not come to rest")
        if not self.epsilon >= 0:
            raise ValueError(f"epsilon is {self.epsilon}; it must be 0 or more")
        if not 0 < self.scale_step < 1:
            raise ValueError(f"scale_step is {self.scale_step}; it must be between 0 and 1")
        if self.median not in (0, 1, 3, 5):
            raise ValueError(f"median is {self.median}; it must be 3, 5, or 1 for none")

    @property
    def steps(self) -> int:
        """Inner iterations that are done in one go: a part of `inner` without a rest."""
        return max(count for count in range(1, _MOST_STEPS + 1) if self.inner % count == 0)


def plain_iterations(settings: Settings) -> Iterate:
    """A function that does `settings.steps` inner iterations: u from the pictures and from q, then q from u.

    Given u1, u2 and their duals, `(6, n, h, w)`, and the pictures made linear, `(4, n, h, w)`: x, y, rest and
    1 / (x² + y²), where the pictures differ by rest + x * u1 + y * u2. It gives the first anew, and the sum of the
    squares of the last change of u, `(n,)`. The duals are kept times theta, q = theta * p, in the order q11, q21, q12,
    q22: those of the slopes to x of u1 and u2, then to y.

    Few operations on few planes, in place (the state is overwritten): each is a pass over the memory.
    """
    its, step = settings, settings.tau / settings.theta

    def iterate(state: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
        xy, rest, per_square = data[:2], data[2], data[3]
        u, q_x, q_y = state[:2], state[2:4], state[4:]
        pull, change, size = torch.empty_like(rest), torch.empty_like(u), torch.empty_like(u)
        slopes = torch.zeros_like(state[2:])
        slope_x, slope_y = slopes[:2], slopes[2:]
        for _ in range(its.steps):
            torch.addcmul(rest, xy[0], u[0], out=pull).addcmul_(xy[1], u[1]).mul_(per_square)
            pull.clamp_(-its.lambda_ * its.theta, its.lambda_ * its.theta)
            torch.add(q_x, q_y, out=change)
            change[..., 1:].sub_(q_x[..., :-1])
            change[..., 1:, :].sub_(q_y[..., :-1, :])
            u.add_(change.addcmul_(xy, pull, value=-1))
            torch.sub(u[..., 1:], u[..., :-1], out=slope_x[..., :-1])
            torch.sub(u[..., 1:, :], u[..., :-1, :], out=slope_y[..., :-1, :])
            torch.mul(slope_x, slope_x, out=size).addcmul_(slope_y, slope_y).sqrt_().mul_(step).add_(1)
            state[2:].add_(slopes, alpha=its.tau)
            q_x.div_(size)
            q_y.div_(size)
        return state, change.square_().sum((0, 2, 3))

    return iterate


def fusible_iterations(settings: Settings) -> Iterate:
    """The same for a compiler, which makes two passes over the memory of it: plane by plane, and nothing in place."""
    most, tau, step = settings.lambda_ * settings.theta, settings.tau, settings.tau / settings.theta
    times = (None,) * settings.steps  # a number would become one of the tensors' sizes

    def iterate(state: Tensor, data: Tensor) -> tuple[Tensor, Tensor]:
        u1, u2, q11, q21, q12, q22 = state.unbind(0)
        x, y, rest, per_square = data.unbind(0)
        change1 = change2 = u1
        for _ in times:
            pull = ((rest + x * u1 + y * u2) * per_square).clamp(-most, most)
            change1 = divergence(q11, q12) - pull * x
            change2 = divergence(q21, q22) - pull * y
            u1, u2 = u1 + change1, u2 + change2
            q11, q12 = dual(u1, q11, q12)
            q21, q22 = dual(u2, q21, q22)
        change = change1 * change1 + change2 * change2
        return torch.stack([u1, u2, q11, q21, q12, q22]), change.sum((1, 2))

    def divergence(x: Tensor, y: Tensor) -> Tensor:
        left, above = F.pad(x, (1, 0))[..., :-1], F.pad(y, (0, 0, 1, 0))[..., :-1, :]
        return x - left + y - above

    def dual(u: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        slope_x = F.pad(u[..., 1:] - u[..., :-1], (0, 1))
        slope_y = F.pad(u[..., 1:, :] - u[..., :-1, :], (0, 0, 0, 1))
        shrink = 1 / (1 + step * torch.sqrt(slope_x * slope_x + slope_y * slope_y))
        return (x + tau * slope_x) * shrink, (y + tau * slope_y) * shrink

    return iterate
