"""Going on with a run that was stopped or killed: its checkpoint, its folder, and whether it is the same run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from muybridge.engine.diary import history_csv
from muybridge.engine.module import TrainingModule
from muybridge.files import appearing, write_text


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a run has left, as plain values and tensors.

    Raises:
        ValueError: No file, or not a checkpoint of a run of ours.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(
            f"{path}: can't resume from it (no such file): a run that was stopped before its first epoch ended has "
            "nothing to go on with; start it again without --resume"
        ) from None
    except OSError as error:
        raise ValueError(f"{path}: can't resume from it ({error.strerror or error})") from None
    except Exception as error:  # what comes of reading any file as a pickle has no common class
        raise ValueError(f"{path}: not a checkpoint of a training run; give its last.ckpt") from error
    if not isinstance(state, dict) or "muybridge" not in state:
        raise ValueError(f"{path}: not a checkpoint of a training run of muybridge; give its last.ckpt")
    return state


def clear(out_dir: Path) -> None:
    """Remove what a killed run had half written."""
    for remains in out_dir.glob(".*.part*"):
        remains.unlink()


def mend(resume: Path, out_dir: Path, state: dict[str, Any]) -> None:
    """Make the folder what it was when its last epoch had ended, whenever the run was killed after that.

    `last.ckpt` is written first and says all: where its last epoch is the best one, it is `best.ckpt` too. A run that
    goes on in another folder may never get better than the best it had, so that one comes along.
    """
    is_best = state["best"] is not None and state["best"]["epoch"] == len(state["history"])
    best = resume if is_best else resume.with_name("best.ckpt")
    for source, target in ((resume, out_dir / "last.ckpt"), (best, out_dir / "best.ckpt")):
        if source.exists() and source.resolve() != target.resolve():
            with appearing(target) as copy:
                shutil.copyfile(source, copy)
    write_text(out_dir / "metrics.csv", history_csv(state["history"]))


def refuse_other_model(module: TrainingModule, state: dict[str, Any], resume: Path) -> None:
    """Stop where the checkpoint is of another run.

    Raises:
        ValueError: Its weights have other names or shapes.
    """
    ours, theirs = module.state_dict(), state["state_dict"]
    odd = [k for k in sorted(ours.keys() | theirs.keys()) if k not in ours or k not in theirs]
    odd += [k for k in ours if k in theirs and ours[k].shape != theirs[k].shape]
    if not odd:
        return
    if all(key.startswith("average.") for key in odd):
        raise ValueError(
            f"{resume}: was trained {'without' if module.average else 'with'} train.ema_decay; resume with the same "
            "settings"
        )
    raise ValueError(
        f"{resume}: belongs to another model or other classes ({odd[-1].removeprefix('model.')} differs); "
        "resume with the same data and model"
    )
