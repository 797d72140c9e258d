"""Functions of tensors that are compiled when that is worth it, and go on without where it can't be done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

_WORTH = 5_000_000
"""Pixels after which compiling is worth it: as long as TV-L1 has taken for them without, compiling takes."""

_log = logging.getLogger("muybridge")


class Compiled:
    """A function in two forms: one that is fast as it is, and one that `torch.compile` makes faster.

    Attributes:
        wanted: True compiles at the first call, False never, None after `count` has seen enough work.
        ready: Whether calls are compiled.
    """

    def __init__(self, plain: Callable[..., Any], fusible: Callable[..., Any], wanted: bool | None) -> None:
        self.wanted = wanted
        self.ready = bool(wanted)
        self._plain, self._fusible = plain, fusible
        self._seen = 0
        self._fast: Callable[..., Any] | None = None

    def count(self, pixels: int) -> None:
        """Tell that this much work comes now."""
        if self.wanted is None and not self.ready and self._seen > _WORTH:
            self.ready = True
        self._seen += pixels

    def __call__(self, *args: Any) -> Any:
        """What the function gives, compiled if that is wanted and possible."""
        if not self.ready:
            return self._plain(*args)
        try:
            if self._fast is None:
                self._fast = torch.compile(self._fusible, dynamic=True, fullgraph=True)
                with _without_cuda_s_absence():
                    return self._fast(*args)
            return self._fast(*args)
        except (
            Exception
        ) as error:  # a missing compiler shows itself in many ways; the plain function never fails
            if self.wanted:
                raise ValueError(
                    f"can't be compiled here ({_first_line(error)}); install a C++ compiler, or say compiled=False"
                ) from error
            _log.info("flow is not compiled, and slower: %s", _first_line(error))
            self.wanted = self.ready = False
            return self._plain(*args)


@contextmanager
def _without_cuda_s_absence() -> Iterator[None]:
    """PyTorch's compiler warns where CUDA's tools are installed and no GPU is there; nobody here has asked for one."""
    torch_log = logging.getLogger("torch.utils.cpp_extension")

    def wanted(record: logging.LogRecord) -> bool:
        return "No CUDA runtime" not in str(record.msg)

    torch_log.addFilter(wanted)
    try:
        yield
    finally:
        torch_log.removeFilter(wanted)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
