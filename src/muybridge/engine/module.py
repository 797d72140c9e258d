"""A model and its task, as Lightning wants them: steps, learning rate, figures of an epoch."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from muybridge.data.clips import ClipDataset
from muybridge.data.loading import Batch, make_loader
from muybridge.engine.averaging import make_average, measure_norms, update_average
from muybridge.engine.optim import Plateau, base_rate, make_optimizer, rate_factor
from muybridge.models import ClipModel
from muybridge.recipe import DataRecipe, TrainRecipe
from muybridge.tasks import Task
from muybridge.video.mixing import mix

Row = dict[str, float]


class TrainingModule(LightningModule):
    """One training run.

    Attributes:
        judged: What is validated and kept: the model, or the running mean of its weights.
        history: One row per finished epoch: `epoch` (from 1), `lr`, `train_loss`, `train_top1` (of single labels),
            `val_*`.
        best: The best row; by the task's merit (`val_top1` or `val_map`), of equal ones by the lower `val_loss`;
            without validation the last.
        broken: Videos that could not be read, by path, with the reason.

    Args:
        model: Clips to logits.
        task: Loss, answer and figures.
        train_set: Training clips.
        val_set: Validation views, or None.
        train: Optimisation.
        data: Batch size and workers.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        train_set: ClipDataset,
        val_set: ClipDataset | None,
        train: TrainRecipe,
        data: DataRecipe,
    ) -> None:
        super().__init__()
        self.model = model
        self.average = make_average(model) if train.ema_decay else None
        self.task = task
        self.train_set = train_set
        self.val_set = val_set
        self.recipe = train
        self.data = data
        self.history: list[Row] = []
        self.best: Row | None = None
        self.broken: dict[str, str] = {}
        self.plateau = Plateau(train.plateau_epochs, train.step_factor)
        self.val_figures = task.metrics()
        self.last_rate = 0.0
        self._sums = torch.zeros(3, dtype=torch.float64)

    # Data: made in the process that reads it, which alone knows its rank.

    def train_dataloader(self) -> DataLoader[Batch]:
        """Shuffled training clips of this epoch."""
        # Loader workers begin to read at once, and Lightning says which epoch it is only afterwards when a run is
        # resumed; the history knows it.
        epoch = len(self.history)
        if len(self.train_set.grids) == 1:
            return self._loader(self.data.batch_size, epoch)
        size = self.data.batch_size
        return self._loader(lambda epoch: size * self.train_set.grid(epoch).batch, epoch)

    def _loader(self, batch_size: int | Callable[[int], int], epoch: int) -> DataLoader[Batch]:
        return make_loader(
            self.train_set,
            batch_size,
            shuffle=True,
            copies=self.train_set.repeats if self.data.repeated_augmentation else 1,
            epoch=epoch,
            num_workers=self.data.num_workers,
            seed=self.recipe.seed,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
            pin_memory=self.on_gpu,
        )

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Validation views in order."""
        if self.val_set is None:
            return []
        return make_loader(
            self.val_set,
            max(self.data.batch_size // self.val_set.views, 1),
            shuffle=False,
            num_workers=self.data.num_workers,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
            pin_memory=self.on_gpu,
        )

    @property
    def on_gpu(self) -> bool:
        """Whether batches travel to a CUDA device."""
        return self.trainer.strategy.root_device.type == "cuda"

    # Optimisation

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The recipe's; the rate is set before each step."""
        return make_optimizer(self.model, self.recipe, self.rate)

    @property
    def rate(self) -> float:
        """Base learning rate for the total batch of this run, where it has its usual size."""
        total = self.data.batch_size * self.recipe.accumulate * self.trainer.world_size
        return base_rate(self.recipe, total)

    def begin_epoch(self) -> None:
        """Seeds and modes: what must be the same whether the run was resumed or not.

        Lightning's own hook for this is left out in the first epoch after a resume.
        """
        entropy = (self.recipe.seed, self.current_epoch, self.global_rank)
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        self._sums.zero_()
        self.set_modes()

    def set_modes(self) -> None:
        """Training mode; with a frozen backbone the classifier's alone, so that batch norm stays as it was."""
        self.model.train(not self.recipe.freeze_backbone)
        if self.recipe.freeze_backbone and isinstance(self.model, ClipModel):
            for classifier in self.model.classifiers:
                classifier.train()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Begin the epoch with its first batch; set the rate of this step."""
        if batch_idx == 0:
            self.begin_epoch()
        epoch = self.current_epoch + batch_idx / float(self.trainer.num_training_batches)
        larger = self.train_set.grid(self.current_epoch).batch
        rate = self.rate * larger * rate_factor(self.recipe, epoch) * self.plateau.factor
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate * group["scale"]
        self.last_rate = rate

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch.

        Raises:
            ValueError: The loss is no longer a number.
        """
        self._note_broken(self.train_set, batch)
        loss, logits = self.task.loss(self.model, self._mixed(batch, batch_idx))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise self._diverged(f"the loss became {value}")
        count, right = len(batch["label"]), 0
        if self.counts_hits:
            right = int((logits.detach().argmax(dim=1) == batch["label"]).sum())
        self._sums += torch.tensor([value * count, right, count], dtype=torch.float64)
        return loss

    def _mixed(self, batch: Batch, batch_idx: int) -> Batch:
        """The batch, mixed as the recipe asks; drawn from the step's own number, so that nothing has to be kept."""
        augment = self.train_set.augment
        if not (augment.mixup or augment.cutmix) or batch["clip"] is None:
            return batch
        targets = batch["label"]
        if targets.ndim == 1:
            targets = nn.functional.one_hot(targets, len(self.train_set.labels)).float()
        clips, targets = mix(
            batch["clip"],
            targets,
            mixup=augment.mixup,
            cutmix=augment.cutmix,
            probability=augment.mix_prob,
            cutmix_share=augment.cutmix_share,
            rng=np.random.default_rng((self.recipe.seed, self.current_epoch, self.global_rank, batch_idx)),
        )
        return Batch(clip=clips, label=targets, index=batch["index"], broken=batch["broken"])

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Take the weights into their running mean, if this batch ended a step."""
        ended = (batch_idx + 1) % self.recipe.accumulate == 0
        if self.average is not None and (ended or batch_idx + 1 == self.trainer.num_training_batches):
            update_average(self.average, self.model, self.recipe.ema_decay, self.trainer.global_step)

    def _diverged(self, what: str) -> ValueError:
        return ValueError(
            f"{what} in epoch {self.current_epoch + 1}; the learning rate is probably too high: "
            f"try train.lr={self.recipe.lr / 10:g}, train.warmup_epochs=1, or a smaller train.clip_norm"
        )

    @property
    def counts_hits(self) -> bool:
        """Whether there is a top-1 to speak of; of several labels there is none."""
        return self.task.merit == "top1"

    @property
    def running(self) -> tuple[float, float]:
        """Loss and top-1 of the epoch so far, in this process."""
        loss, right, count = self._sums.tolist()
        return (loss / count, right / count) if count else (math.nan, math.nan)

    # Validation

    @property
    def judged(self) -> nn.Module:
        """What is validated and kept: the running mean of the weights where there is one."""
        return self.model if self.average is None else self.average

    def measure_norms(self) -> None:
        """Batch norm's statistics with the weights of this moment, on training clips of the final shape."""
        if self.recipe.precise_bn:
            device = self.trainer.strategy.root_device
            # Epochs beyond the last grid have the shape that is validated, whatever is being trained on.
            loader = self._loader(self.data.batch_size, len(self.train_set.grids) + self.current_epoch)
            batches = islice(loader, self.recipe.precise_bn)
            clips = (batch["clip"].to(device) for batch in batches if batch["clip"] is not None)
            measure_norms(self.judged, clips, add=self._sum)

    def on_validation_epoch_start(self) -> None:
        """Measure batch norm if asked, and start to count."""
        self.measure_norms()
        self.val_figures = self.task.metrics()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count a batch."""
        assert self.val_set is not None
        self._note_broken(self.val_set, batch)
        if batch["clip"] is not None:
            answers = self.task.predict(self.judged, batch["clip"])
            if not answers.isfinite().all():
                raise self._diverged("the model's answers are no longer numbers")
            self.val_figures.update(answers, batch["label"])

    def _note_broken(self, dataset: ClipDataset, batch: Batch) -> None:
        for index, reason in batch["broken"]:
            self.broken.setdefault(str(dataset.samples[index].path), reason)

    # The end of an epoch

    def close_epoch(self, seconds: float) -> Row:
        """Sum the figures over processes, judge them, and add the epoch's row.

        Raises:
            ValueError: No validation video could be read.
        """
        loss, right, count = self._sum(self._sums).tolist()
        row = {
            "epoch": float(self.current_epoch + 1),
            "lr": self.last_rate,
            "train_loss": loss / count,
        }
        if self.counts_hits:
            row["train_top1"] = right / count
        if self.val_set is None:
            self.measure_norms()
        else:
            self._gather_figures()
            figures = self.val_figures.compute()
            if not figures:
                raise ValueError("no validation video can be read; try: muybridge data check")
            row |= {f"val_{name}": value for name, value in figures.items()}
        if self.recipe.schedule == "plateau":
            self.plateau.update(row.get("val_loss", row["train_loss"]))
        row["seconds"] = seconds
        self.history.append(row)
        if self.best is None or self._merit(row) > self._merit(self.best):
            self.best = row
        self._gather_broken()
        return row

    def _merit(self, row: Row) -> tuple[float, float]:
        # A handful of validation videos gives many equal accuracies; the loss tells those epochs apart.
        name = f"val_{self.task.merit}"
        return (row[name], -row["val_loss"]) if name in row else (row["epoch"], 0.0)

    def _sum(self, values: Tensor) -> Tensor:
        device = self.trainer.strategy.root_device
        return self.trainer.strategy.reduce(values.to(device), reduce_op="sum").cpu()

    def _gather_figures(self) -> None:
        if self.trainer.world_size > 1:
            figures = self.task.metrics()
            for found in self._gathered(self.val_figures):
                figures.merge(found)
            self.val_figures = figures

    def _gather_broken(self) -> None:
        if self.trainer.world_size > 1:
            for found in self._gathered(self.broken):
                self.broken = found | self.broken

    def _gathered(self, value: Any) -> list[Any]:
        """What each process has, in their order."""
        gathered: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(gathered, value)
        return gathered

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what a resumed run needs; plain values, so that it can be read with `weights_only=True`."""
        # However the weights are laid out for speed, files hold them in the usual order.
        checkpoint["state_dict"] = {
            key: value.contiguous() for key, value in checkpoint["state_dict"].items()
        }
        checkpoint["muybridge"] = {
            "history": self.history,
            "best": self.best,
            "plateau": self.plateau.state(),
            "broken": self.broken,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it back."""
        state = checkpoint["muybridge"]
        self.history, self.best, self.broken = state["history"], state["best"], state["broken"]
        self.plateau = Plateau(self.recipe.plateau_epochs, self.recipe.step_factor, **state["plateau"])
