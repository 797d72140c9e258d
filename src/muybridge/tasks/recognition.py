"""Action recognition: one label for a video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.data.clips import ClipDataset
from muybridge.data.loading import Batch, make_loader
from muybridge.metrics.recognition import Evaluation, Meter
from muybridge.types import VideoError


class RecognitionTask:
    """Cross entropy in training, averaged probabilities at test time.

    Args:
        labels: Class names (`k`).
        label_smoothing: Share of the target spread over all classes (Szegedy et al. 2016,
            https://arxiv.org/abs/1512.00567).
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

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Loss (a scalar) and logits `(b, k)` of a training batch."""
        logits: Tensor = model(batch["clip"])
        weights = self.class_weights if self.class_weights is None else self.class_weights.to(logits.device)
        loss = F.cross_entropy(
            logits.float(), batch["label"], weight=weights, label_smoothing=self.label_smoothing
        )
        return loss, logits

    def predict(self, model: nn.Module, clips: Float[Tensor, "b v c t h w"]) -> Float[Tensor, "b k"]:
        """Probabilities, averaged over views.

        Averaged after the softmax, as in Non-local networks (Wang et al. 2018) and SlowFast: each view has
        one vote. Averaging logits lets one view with large logits outvote all others.
        """
        b, v = clips.shape[:2]
        views = clips.flatten(0, 1)
        probabilities = torch.cat(
            [model(part).float().softmax(dim=1) for part in torch.split(views, self.batch_views)]
        )
        return probabilities.view(b, v, -1).mean(dim=1)

    def metrics(self) -> Meter:
        """Fresh running figures."""
        return Meter(len(self.labels))


def balanced_weights(targets: Sequence[int], num_classes: int) -> list[float]:
    """Inverse frequencies, scaled so that the mean weight of a sample is 1; 0 for a class without samples."""
    counts = Counter(targets)
    return [len(targets) / (len(counts) * counts[k]) if counts[k] else 0.0 for k in range(num_classes)]


def evaluate(
    model: nn.Module,
    dataset: ClipDataset,
    *,
    batch_views: int = 8,
    num_workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Measure a model on a data set of test views.

    The model is put into evaluation mode and read where it lies (CPU or GPU).

    Args:
        model: Clips `(b, c, t, h, w)` to logits `(b, k)`.
        dataset: A data set made with `train=False`.
        batch_views: Views that go through the network at once.
        num_workers: Processes that decode.
        progress: Called with videos done and videos in all.

    Raises:
        ValueError: A data set of training clips.
        VideoError: Not one video could be read.
    """
    if dataset.train:
        raise ValueError("evaluate wants test views; make the data set with train=False")
    task = RecognitionTask(dataset.labels, batch_views=batch_views)
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
    return Evaluation(
        labels=dataset.labels,
        probabilities=torch.cat(probabilities),
        targets=torch.tensor([dataset.targets[index] for index in indices]),
        views=dataset.views,
        names=tuple(str(dataset.samples[index].path) for index in indices),
        broken=broken,
    )
