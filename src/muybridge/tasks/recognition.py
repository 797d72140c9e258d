"""Action recognition: one label for a video, or any number of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.data.clips import ClipDataset
from muybridge.data.loading import Batch, make_loader
from muybridge.metrics.multi_label import MultiLabelEvaluation, MultiLabelMeter
from muybridge.metrics.recognition import Evaluation, Meter
from muybridge.types import VideoError


class ClipTask:
    """What both tasks are made of.

    Args:
        labels: Class names (`k`).
        label_smoothing: Share of a target that is taken off it.
        class_weights: Weight of each class in the loss (`k`), see `balanced_weights`.
        batch_views: Views that go through the network at once at test time; bounds the memory.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        batch_views: int = 8,
    ) -> None:
        self.labels = tuple(labels)
        self.label_smoothing = label_smoothing
        self.class_weights = (
            None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        )
        self.batch_views = batch_views

    def probabilities(self, logits: Float[Tensor, "*b k"]) -> Float[Tensor, "*b k"]:
        """What logits mean: shares of one, or a probability for each class."""
        raise NotImplementedError

    def predict(self, model: nn.Module, clips: Float[Tensor, "b v c t h w"]) -> Float[Tensor, "b k"]:
        """Probabilities, averaged over views."""
        return self._averaged(model, clips, self.probabilities)

    def logits(self, model: nn.Module, clips: Float[Tensor, "b v c t h w"]) -> Float[Tensor, "b k"]:
        """Logits, averaged over views."""
        return self._averaged(model, clips, lambda logits: logits)

    def _weights(self, device: torch.device) -> Tensor | None:
        return None if self.class_weights is None else self.class_weights.to(device)

    def _averaged(
        self, model: nn.Module, clips: Tensor, answer: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "b k"]:
        b, v = clips.shape[:2]
        views = clips.flatten(0, 1)
        answers = torch.cat([answer(model(part).float()) for part in torch.split(views, self.batch_views)])
        return answers.view(b, v, -1).mean(dim=1)


class RecognitionTask(ClipTask):
    """Cross entropy in training, averaged probabilities at test time.

    What label smoothing takes off the target is spread over all classes (Szegedy et al. 2016,
    https://arxiv.org/abs/1512.00567).
    """

    @property
    def merit(self) -> str:
        """The best epoch is the one with the highest top-1."""
        return "top1"

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss (a scalar) and logits `(b, k)` of a training batch, whose labels may be shares of classes `(b, k)`."""
        logits: Tensor = model(batch["clip"])
        loss = F.cross_entropy(
            logits.float(),
            batch["label"],
            weight=self._weights(logits.device),
            label_smoothing=self.label_smoothing,
        )
        return loss, logits

    def predict(self, model: nn.Module, clips: Float[Tensor, "b v c t h w"]) -> Float[Tensor, "b k"]:
        """Probabilities, averaged over views.

        Averaged after the softmax, as in Non-local networks (Wang et al. 2018) and SlowFast: each view has
        one vote. Averaging logits lets one view with large logits outvote all others.
        """
        return super().predict(model, clips)

    def probabilities(self, logits: Float[Tensor, "*b k"]) -> Float[Tensor, "*b k"]:
        """Shares of one."""
        return logits.softmax(dim=-1)

    def metrics(self) -> Meter:
        """Fresh running figures."""
        return Meter(len(self.labels))


class MultiLabelTask(ClipTask):
    """Any number of labels for a video: binary cross entropy in training, averaged probabilities at test time.

    Each class is a question of its own, answered by a sigmoid, as PySlowFast and MMAction2 train Charades (Sigurdsson
    et al. 2016, https://arxiv.org/abs/1604.01753). Label smoothing moves targets towards one half; class weights are
    those of a class's positives.
    """

    @property
    def merit(self) -> str:
        """The best epoch is the one with the highest mean average precision."""
        return "map"

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss (a scalar, the mean over clips and classes) and logits `(b, k)` of a training batch."""
        logits: Tensor = model(batch["clip"])
        targets = batch["label"]
        if self.label_smoothing:
            targets = targets * (1 - self.label_smoothing) + self.label_smoothing / 2
        weights = self._weights(logits.device)
        return F.binary_cross_entropy_with_logits(logits.float(), targets, pos_weight=weights), logits

    def predict(self, model: nn.Module, clips: Float[Tensor, "b v c t h w"]) -> Float[Tensor, "b k"]:
        """Probabilities (each 0..1, they don't sum to 1), averaged over views after the sigmoid.

        The published Charades figures take the highest of the views instead (SlowFast, Feichtenhofer et al. 2019): an
        action there may fill one clip of ten.
        """
        return super().predict(model, clips)

    def probabilities(self, logits: Float[Tensor, "*b k"]) -> Float[Tensor, "*b k"]:
        """One for each class, whatever the others are."""
        return torch.sigmoid(logits)

    def metrics(self) -> MultiLabelMeter:
        """Fresh running figures."""
        return MultiLabelMeter(len(self.labels))


def task_for(
    labels: Sequence[str],
    *,
    multi_label: bool,
    label_smoothing: float = 0.0,
    class_weights: Sequence[float] | None = None,
    batch_views: int = 8,
) -> RecognitionTask | MultiLabelTask:
    """The task of a data set: a `MultiLabelTask` if its labels don't exclude each other."""
    kind = MultiLabelTask if multi_label else RecognitionTask
    return kind(labels, label_smoothing=label_smoothing, class_weights=class_weights, batch_views=batch_views)


def balanced_weights(targets: Tensor, num_classes: int) -> list[float]:
    """Weights that give every class the same say.

    Args:
        targets: Class numbers, int64 `(n,)`; or ones and zeros of a multi-label set, `(n, k)`.
        num_classes: Classes (`k`).

    Returns:
        Of single labels the inverse frequencies, scaled so that the mean weight of a sample is 1; of several the ratio
        of videos without a class to those with it (its positives then weigh as much as its negatives), 1 for a class
        that all show. 0 for a class without samples.
    """
    if targets.ndim == 2:
        shown = targets.double().sum(dim=0)
        weights = torch.where(shown > 0, (len(targets) - shown) / shown.clamp_min(1), 0.0)
        return weights.where(shown < len(targets), 1.0).tolist()
    counts = torch.bincount(targets, minlength=num_classes)
    present = int((counts > 0).sum())
    return torch.where(counts > 0, len(targets) / (present * counts.clamp_min(1).double()), 0.0).tolist()


def evaluate(
    model: nn.Module,
    dataset: ClipDataset,
    *,
    batch_views: int = 8,
    num_workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation | MultiLabelEvaluation:
    """Measure a model on a data set of test views.

    The model is put into evaluation mode and read where it lies (CPU or GPU).

    Args:
        model: Clips `(b, c, t, h, w)` to logits `(b, k)`.
        dataset: A data set made with `train=False`; with `multi_label=True` it is measured by average precision.
        batch_views: Views that go through the network at once.
        num_workers: Processes that decode.
        progress: Called with videos done and videos in all.

    Raises:
        ValueError: A data set of training clips.
        VideoError: Not one video could be read.
    """
    if dataset.train:
        raise ValueError("evaluate wants test views; make the data set with train=False")
    task = task_for(dataset.labels, multi_label=dataset.multi_label, batch_views=batch_views)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    model.eval()
    probabilities: list[Tensor] = []
    indices: list[int] = []
    broken: dict[str, str] = {}
    with torch.inference_mode():
        for done, batch in enumerate(make_loader(dataset, 1, shuffle=False, num_workers=num_workers), 1):
            if batch["clip"] is not None:
                probabilities.append(task.predict(model, batch["clip"].to(device)).cpu())
                indices += batch["index"].tolist()
            broken |= {str(dataset.samples[index].path): reason for index, reason in batch["broken"]}
            if progress is not None:
                progress(done, len(dataset))
    if not probabilities:
        raise VideoError(
            f"none of {len(dataset)} videos can be read; the first one: {next(iter(broken.values()))}"
        )
    kind = MultiLabelEvaluation if dataset.multi_label else Evaluation
    return kind(
        labels=dataset.labels,
        probabilities=torch.cat(probabilities),
        targets=dataset.targets[indices],
        views=dataset.views,
        names=tuple(str(dataset.samples[index].path) for index in indices),
        broken=broken,
    )
