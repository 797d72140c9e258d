"""What a run leaves on the way: checkpoints, `metrics.csv`, TensorBoard logs, and a line for who watches."""

from __future__ import annotations

import csv
import io
import logging
import shutil
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule, Trainer

from muybridge.engine.module import Row, TrainingModule
from muybridge.files import appearing, write_text

if TYPE_CHECKING:
    from rich.progress import Progress
    from torch.utils.tensorboard import SummaryWriter


_CHATTER = (
    r".*treespec, LeafSpec",  # Lightning's own use of a deprecated torch function
    r"Found \d+ module\(s\) in eval mode",  # frozen on purpose
    r"Total length of .* across ranks is zero",  # nothing held out
)


def hush() -> None:
    """Keep Lightning's tips and device lists from people who have not asked for Lightning."""
    for text in _CHATTER:
        warnings.filterwarnings("ignore", message=text)
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "torch.multiprocessing.spawn"):
        logging.getLogger(name).setLevel(logging.ERROR)


class Diary(Callback):
    """Closes every epoch: figures, checkpoints, logs, early stop.

    Args:
        folder: Where `last.ckpt`, `best.ckpt`, `metrics.csv` and `tensorboard/` go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.interrupted = False
        self._started = 0.0
        self._board: SummaryWriter | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Unpickled means: in a process that Lightning has spawned, where nobody has hushed it yet.
        self.__dict__.update(state)
        hush()

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Open the logs, start the clock."""
        self._started = time.monotonic()
        if trainer.is_global_zero:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(
                str(self.folder / "tensorboard"), purge_step=trainer.current_epoch + 1
            )

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Close the epoch."""
        assert isinstance(module, TrainingModule)
        row = module.close_epoch(time.monotonic() - self._started)
        self._started = time.monotonic()
        patience = module.recipe.early_stop_epochs
        assert module.best is not None
        if patience and row["epoch"] - module.best["epoch"] >= patience:
            trainer.should_stop = True
        self._save(trainer, best=module.best is row)
        if trainer.is_global_zero:
            write_text(self.folder / "metrics.csv", history_csv(module.history))
            if module.broken:
                lines = [f"{path}\t{reason}\n" for path, reason in sorted(module.broken.items())]
                write_text(self.folder / "broken.txt", "".join(lines))
            if self._board is not None:
                for name, value in row.items():
                    self._board.add_scalar(name.replace("_", "/", 1), value, int(row["epoch"]))
                self._board.flush()

    def _save(self, trainer: Trainer, *, best: bool) -> None:
        last = self.folder / "last.ckpt"
        temporary = self.folder / ".last.part.ckpt"
        # Every process takes part: some strategies gather the state.
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            temporary.replace(last)
            if best:
                with appearing(self.folder / "best.ckpt") as copy:
                    shutil.copyfile(last, copy)
        # Nobody reads on before the files lie in their place.
        trainer.strategy.barrier()

    def on_exception(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> None:
        """Remember that it was a person who stopped the run."""
        self.interrupted = isinstance(exception, KeyboardInterrupt)
        self._close()

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Close the logs."""
        self._close()

    def _close(self) -> None:
        if self._board is not None:
            self._board.close()
            self._board = None


class Watch(Callback):
    """One live line on a terminal, one line per epoch elsewhere; both on standard error."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: Any = None
        self._first = 0
        self._started = 0.0
        self._told: set[str] = set()

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Show the line."""
        self._first, self._started = trainer.current_epoch, time.monotonic()
        if not trainer.is_global_zero or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        # No refresh thread: loader workers are forked from this process.
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True), auto_refresh=False,
        )  # fmt: skip
        self._bar.start()
        self._task = self._bar.add_task("", total=float(trainer.max_epochs or 1), figures="")
        self._draw(trainer, module, 0)

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move the line."""
        self._draw(trainer, module, batch_idx + 1)

    def on_validation_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Tell of videos that could not be read."""
        self._tell_broken(trainer, module)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """A line for the epoch. Comes after `Diary`, which closes it."""
        assert isinstance(module, TrainingModule)
        self._tell_broken(trainer, module)
        if self._bar is not None:
            self._draw(trainer, module, int(trainer.num_training_batches))
        elif trainer.is_global_zero:
            row = module.history[-1]
            left = self._left(trainer, trainer.current_epoch + 1.0)
            say(f"epoch {int(row['epoch'])}/{trainer.max_epochs}  {describe(row)}  {left}")

    def _draw(self, trainer: Trainer, module: LightningModule, batches: int) -> None:
        if self._bar is None:
            return
        assert isinstance(module, TrainingModule)
        total = float(trainer.num_training_batches)
        epoch = trainer.current_epoch + batches / total
        loss, top1 = module.running
        figures = f"loss {loss:.3f}" if batches else ""
        if batches and module.counts_hits:
            figures += f"  top1 {top1:.1%}"
        merit = f"val_{module.task.merit}"
        if module.history and merit in (last := module.history[-1]):
            figures += f"  val {last[merit]:.1%}"
        self._bar.update(
            self._task,
            description=f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}",
            completed=epoch,
            figures=f"{figures}  {self._left(trainer, epoch)}",
            refresh=True,
        )

    def _left(self, trainer: Trainer, epoch: float) -> str:
        done = epoch - self._first
        if done <= 0:
            return ""
        # Validation is part of the elapsed time, so it is part of the forecast.
        left = (time.monotonic() - self._started) / done * ((trainer.max_epochs or 0) - epoch)
        return f"ETA {int(left) // 3600}:{int(left) // 60 % 60:02}:{int(left) % 60:02}"

    def _tell_broken(self, trainer: Trainer, module: LightningModule) -> None:
        # The first process learns of the others' at the end of the epoch.
        assert isinstance(module, TrainingModule)
        if not trainer.is_global_zero:
            return
        for path, reason in module.broken.items():
            if path not in self._told:
                self._told.add(path)
                text = f"skipped: {reason}" if path in reason else f"skipped {path}: {reason}"
                if self._bar is not None:
                    self._bar.console.print(text, markup=False, highlight=False)
                else:
                    say(text)

    def on_exception(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> None:
        """Leave the terminal as it was."""
        self._stop()

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Leave the terminal as it was."""
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def say(text: str) -> None:
    """A line about the work."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def describe(row: Row) -> str:
    """The figures of an epoch in one line."""
    parts = [f"loss {row['train_loss']:.3f}"]
    if "train_top1" in row:
        parts.append(f"top1 {row['train_top1']:.1%}")
    if "val_loss" in row:
        parts.append(f"val loss {row['val_loss']:.3f}")
    parts += [f"val {n} {row[f'val_{n}']:.1%}" for n in ("top1", "map") if f"val_{n}" in row]
    return "  ".join([*parts, f"{row['seconds']:.1f} s"])


def history_csv(history: list[Row]) -> str:
    """The rows as CSV; numbers are written so that they read back exactly."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: int(v) if k == "epoch" else repr(v) for k, v in row.items()} for row in history)
    return text.getvalue()
