"""Training, on Lightning; nothing outside this folder knows it."""

from muybridge.engine.fit import FitResult, fit, is_main_process

__all__ = ["FitResult", "fit", "is_main_process"]
