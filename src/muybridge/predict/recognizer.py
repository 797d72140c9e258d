"""One model that says what happens in a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from muybridge.checkpoints import open_checkpoint
from muybridge.devices import choose_device
from muybridge.flow.source import flow_of
from muybridge.model_file import LoadedModel
from muybridge.predict.watching import Watcher
from muybridge.results import Progress
from muybridge.tasks.recognition import task_for
from muybridge.types import ClipSpec


class Recognizer(Watcher):
    """A model that says what happens in a video.

    Args:
        loaded: The network with its labels and clip, from `muybridge.checkpoints.open_checkpoint`.
        device: Where it runs, for example `cpu` or `cuda:0`; None takes a GPU if there is one.
        flow: Where flow comes from, of a model that sees any: a method of `muybridge.flow.METHODS` or a folder of
            stored flow; by default the method that the model was trained on, or `tvl1`.

    Raises:
        ValueError: No such device, or no such flow.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        *,
        device: str | torch.device | None = None,
        flow: str | Path | None = None,
    ) -> None:
        self.device = choose_device(device)
        self.model = loaded.model.to(self.device).eval()
        self.name = loaded.name
        self.labels = loaded.labels
        self.clip: ClipSpec = loaded.clip
        self.facts = loaded.facts
        self.flow = flow_of(loaded.clip, loaded.facts, where=flow, device=self.device)
        self.origin = loaded.origin
        self.task = task_for(self.labels, multi_label=loaded.multi_label)

    @torch.inference_mode()
    def probabilities(self, clips: Tensor) -> Tensor:
        """Probabilities `(b, k)`, on the CPU, of views `(b, v, c, t, h, w)`."""
        return self.task.predict(self.model, clips.to(self.device)).cpu()

    @torch.inference_mode()
    def logits(self, clips: Tensor) -> Tensor:
        """Logits `(b, k)`, on the CPU, of views `(b, v, c, t, h, w)`: their mean over the views."""
        return self.task.logits(self.model, clips.to(self.device)).cpu()

    def __repr__(self) -> str:
        return (
            f"<Recognizer {self.name}, {len(self.labels)} labels, {self.clip.describe()}, on {self.device}>"
        )

    @property
    def _streams(self) -> tuple[Recognizer, ...]:
        return (self,)

    @property
    def _facts(self) -> dict[str, str]:
        return {"clip": self.clip.describe()} | ({"flow": str(self.flow)} if self.flow else {})

    def _scores(self, stream: Recognizer, clips: Tensor) -> Tensor:
        return stream.probabilities(clips)

    def _joined(self, scores: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        return scores[0]


def load(
    source: str | Path,
    *,
    model: str | None = None,
    labels: Sequence[str] | None = None,
    device: str | torch.device | None = None,
    flow: str | Path | None = None,
    progress: Progress | None = None,
) -> Recognizer:
    """Open a model, ready to recognize.

    Args:
        source: A `model.safetensors` of `muybridge train` or the folder that holds it; a weight file of another
            project; or the name of published weights, such as `mvit_v2_s.k400`, which are fetched once.
        model: Which model a weight file is, where it leaves that open.
        labels: One label per output, where a weight file doesn't bring its own.
        device: Where it runs; None takes a GPU if there is one.
        flow: Where flow comes from, as for `Recognizer`.
        progress: Called with (done, total) bytes while weights are fetched.

    Raises:
        WeightsError: No such file, or not a model.
        ValueError: No published weights of that name, or labels that don't fit.
    """
    loaded = open_checkpoint(source, model=model, labels=labels, progress=progress)
    return Recognizer(loaded, device=device, flow=flow)
