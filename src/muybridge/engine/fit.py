"""`fit`: a model, a task and data become trained weights."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Trainer
from torch import nn

from muybridge.data.clips import ClipDataset
from muybridge.data.loading import EvenBatches
from muybridge.engine.diary import Diary, Watch, hush, say
from muybridge.engine.module import Row, TrainingModule
from muybridge.engine.resuming import clear, mend, read_checkpoint, refuse_other_model
from muybridge.engine.short import short_clips_in_float32
from muybridge.models import ClipModel
from muybridge.recipe import DataRecipe, TrainRecipe
from muybridge.tasks import Task
from muybridge.types import VideoError


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What a run came to.

    Attributes:
        best_epoch: The epoch (from 1) whose weights the model now holds.
        best_score: Its `val_top1`, or `val_map` of several labels (0..1); its `train_top1` where nothing was held
            out (NaN of several labels).
        history: One row per epoch: `epoch`, `lr`, `train_loss`, `train_top1`, `val_loss`, `val_top1`,
            `val_top5`, `val_mean_class`, `seconds`; of several labels `val_map` instead of the accuracies.
        last: Checkpoint to resume from.
        best: Checkpoint of the best epoch.
        broken: Videos that could not be read, by path, with the reason.
        interrupted: Stopped by Ctrl-C.
        stopped_early: Stopped because nothing got better.
        seconds: Duration of this call.
    """

    best_epoch: int
    best_score: float
    history: list[Row]
    last: Path
    best: Path
    broken: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    stopped_early: bool = False
    seconds: float = 0.0


def fit(
    model: nn.Module,
    task: Task,
    train_set: ClipDataset,
    val_set: ClipDataset | None,
    train: TrainRecipe,
    data: DataRecipe,
    *,
    out_dir: Path,
    devices: int | str = "auto",
    nodes: int = 1,
    resume: Path | None = None,
    progress: bool = True,
) -> FitResult:
    """Train; afterwards the model holds the weights of the best epoch, on the CPU, in evaluation mode.

    Under torchrun every process calls this and gets the same result; `is_main_process` says which one may
    write. With several devices and no torchrun, processes are spawned (so a script needs the usual `if
    __name__ == "__main__":`).

    Args:
        model: Clips `(b, c, t, h, w)` to logits; trained in place.
        task: Loss, answer and figures.
        train_set: Training clips.
        val_set: Test views to choose the best epoch by, or None.
        train: Optimisation.
        data: Batch size and workers.
        out_dir: Folder for `last.ckpt`, `best.ckpt`, `metrics.csv`, `tensorboard/`, and `broken.txt` if need
            be.
        devices: Number of GPUs (or of processes, on the CPU), or "auto".
        nodes: Number of machines, each started with torchrun.
        resume: A `last.ckpt` to go on from, or the folder that holds it.
        progress: Show a progress line on standard error.

    Raises:
        ValueError: Settings that can't work together, a checkpoint of another run, or a loss that is no
            number.
        VideoError: All videos of a class are broken.
        KeyboardInterrupt: Ctrl-C before the first epoch was done.
    """
    started = time.monotonic()
    out_dir.mkdir(parents=True, exist_ok=True)
    state = None
    if resume is not None:
        resume = resume / "last.ckpt" if resume.is_dir() else resume
        state = read_checkpoint(resume)
    elif (out_dir / "last.ckpt").exists():
        raise ValueError(f"{out_dir} already holds a run; resume it, or give another folder")
    module = TrainingModule(model, task, train_set, val_set, train, data)
    if state is not None and resume is not None:
        refuse_other_model(module, state, resume)
    if is_main_process():
        clear(out_dir)
        if state is not None and resume is not None:
            mend(resume, out_dir, state["muybridge"])
    diary = Diary(out_dir)
    with _frozen(model, train.freeze_backbone), warnings.catch_warnings():
        hush()
        callbacks = [diary, *([Watch()] if progress else [])]
        trainer = _make_trainer(train, devices, nodes, callbacks, reload=len(train_set.grids) > 1)
        if len(train_set) < trainer.world_size:
            raise ValueError(
                f"{len(train_set)} training clips are too few for {trainer.world_size} processes"
            )
        if train.steps is not None:
            module.recipe = _in_epochs(train, module, trainer.world_size)
            trainer.fit_loop.max_epochs = module.recipe.epochs
            if progress and is_main_process():
                say(f"{train.steps} steps are {module.recipe.epochs} epochs")
        half = train.precision != "32" and not torch.cuda.is_available()
        guarded = short_clips_in_float32(module) if half else nullcontext()
        with _laid_out(module, alone=trainer.world_size == 1), guarded:
            interrupted = _run(trainer, module, diary, resume)
    return _result(module, out_dir, interrupted, started)


def is_main_process() -> bool:
    """Whether this process is the one that writes: always, but for the helpers that torchrun starts."""
    return int(os.environ.get("RANK", "0")) == 0


def _make_trainer(
    train: TrainRecipe, devices: int | str, nodes: int, callbacks: list[Any], *, reload: bool
) -> Trainer:
    cuda = torch.cuda.is_available()
    accelerator = "gpu" if cuda else "cpu"
    precision = train.precision
    if precision == "16-mixed" and not cuda:
        say("train.precision: half precision needs a GPU; going on with bf16-mixed")
        precision = "bf16-mixed"
    if "TORCHELASTIC_RUN_ID" in os.environ:
        local = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // local
        where: dict[str, Any] = {"devices": local, "num_nodes": nodes, "strategy": "ddp"}
    elif nodes != 1:
        raise ValueError(
            f"nodes is {nodes}; several machines are started with torchrun, on each of them: "
            f"torchrun --nnodes {nodes} --nproc-per-node GPUS --rdzv-endpoint HOST:29500 -m muybridge train ..."
        )
    else:
        count = _count_devices(devices, cuda)
        # Spawned, not re-run from the command line: the rest of the program happens once.
        where = {"devices": count, "strategy": "ddp_spawn" if count > 1 else "auto"}
        # Without it Lightning takes a terminal inside a SLURM job for a job of its own.
        where["plugins"] = [LightningEnvironment()]
    return Trainer(
        **where,
        accelerator=accelerator,
        precision=precision,
        max_epochs=train.epochs,
        accumulate_grad_batches=train.accumulate,
        gradient_clip_val=train.clip_norm or None,
        gradient_clip_algorithm="norm",
        callbacks=callbacks,
        # Where batches change their size, an epoch has another number of them.
        reload_dataloaders_every_n_epochs=int(reload),
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def _count_devices(devices: int | str, cuda: bool) -> int:
    available = torch.cuda.device_count() if cuda else 1
    if devices == "auto":
        return available
    try:
        count = int(devices)
    except ValueError:
        count = 0
    if count < 1 or (cuda and count > available):
        there = f"{available} GPU(s)" if cuda else "the CPU"
        raise ValueError(
            f"devices is {devices!r}; give a number of processes, or auto (this machine has {there})"
        )
    return count


def _run(trainer: Trainer, module: TrainingModule, diary: Diary, resume: Path | None) -> bool:
    """Train; True if a person interrupted it."""
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, ckpt_path=resume, weights_only=True)
    except SystemExit:
        # Lightning's answer to Ctrl-C is to leave the program.
        if not diary.interrupted:
            raise
        return True
    except Exception as error:
        if (plain := _unwrapped(error)) is None:
            raise
        raise plain from None
    finally:
        if main:
            # It also goes deaf to the next one.
            signal.signal(signal.SIGINT, handler)
    return False


def _unwrapped(error: Exception) -> Exception | None:
    """What a loader worker or a spawned process had to say; they send their traceback as the text."""
    text = str(error).rstrip()
    if "Traceback" not in text:
        return None
    name, _, message = text.splitlines()[-1].partition(": ")
    known = {"ValueError": ValueError, "VideoError": VideoError, "OSError": OSError}
    kind = known.get(name.rpartition(".")[2])
    return kind(message) if kind else None


@contextmanager
def _laid_out(module: nn.Module, *, alone: bool) -> Iterator[None]:
    """With the channels of 3D convolutions innermost, which is how a CPU multiplies fastest.

    Clips follow the weights. (A step of eight clips of a narrow I3D on one core with AVX512-bf16: 38 to 33 ms a clip in
    float32, 28 to 16.5 in bf16-mixed. Not measured on GPUs, so left alone there; and where several processes exchange
    gradients, which they do in the usual layout.) What is saved is laid out as usual.
    """
    here = alone and not torch.cuda.is_available()
    kernels = [p for p in module.parameters() if p.ndim == 5] if here else []
    try:
        for kernel in kernels:
            kernel.data = kernel.data.contiguous(memory_format=torch.channels_last_3d)
        yield
    finally:
        for kernel in kernels:
            kernel.data = kernel.data.contiguous()


@contextmanager
def _frozen(model: nn.Module, freeze: bool) -> Iterator[None]:
    """Without gradients for the backbone: nothing of its forward pass is then kept for a backward one."""
    if not freeze:
        yield
        return
    if not isinstance(model, ClipModel):
        raise ValueError(f"train.freeze_backbone: {type(model).__name__} doesn't say what its backbone is")
    frozen = [p for p in model.backbone_parameters() if p.requires_grad]
    try:
        for parameter in frozen:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


def _in_epochs(train: TrainRecipe, module: TrainingModule, world_size: int) -> TrainRecipe:
    """The recipe with its length in epochs, for a run that is as many steps long."""
    copies = module.train_set.repeats if module.data.repeated_augmentation else 1
    batches = EvenBatches(
        len(module.train_set), module.data.batch_size, shuffle=False, copies=copies, world_size=world_size
    )
    steps = math.ceil(len(batches) / train.accumulate)
    return train.model_copy(update={"epochs": max(round((train.steps or 0) / steps), 1)})


def _result(module: TrainingModule, out_dir: Path, interrupted: bool, started: float) -> FitResult:
    model, train = module.model, module.recipe
    last, best = out_dir / "last.ckpt", out_dir / "best.ckpt"
    if interrupted and not last.exists():
        raise KeyboardInterrupt
    # Read back, because spawned processes leave nothing but files.
    state = read_checkpoint(last)["muybridge"]
    weights = read_checkpoint(best if best.exists() else last)["state_dict"]
    kept = "model." if module.average is None else "average."
    model.cpu().load_state_dict({k.removeprefix(kept): v for k, v in weights.items() if k.startswith(kept)})
    model.eval()
    history, row = state["history"], state["best"]
    if interrupted:
        say(f"interrupted after epoch {len(history)}/{train.epochs}; go on with --resume {last}")
    return FitResult(
        best_epoch=int(row["epoch"]),
        best_score=row.get(f"val_{module.task.merit}", row.get("train_top1", math.nan)),
        history=history,
        last=last,
        best=best,
        broken=state["broken"],
        interrupted=interrupted,
        stopped_early=not interrupted and len(history) < train.epochs,
        seconds=time.monotonic() - started,
    )
