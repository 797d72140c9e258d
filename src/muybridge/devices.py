"""Where to compute."""

from __future__ import annotations

import torch


def choose_device(device: str | torch.device | None) -> torch.device:
    """The device of that name, or a GPU if there is one, or the CPU.

    Raises:
        ValueError: No such device on this machine.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        cause = str(error).partition("\n")[0]
        raise ValueError(f"no device {str(device)!r} on this machine ({cause}); leave --device out") from None
    return chosen
