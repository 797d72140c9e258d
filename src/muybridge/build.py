"""Where strings become objects: a recipe and a folder become a model, its clip, data sets and a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from muybridge.checkpoints import open_checkpoint
from muybridge.data.clips import ClipDataset
from muybridge.data.groups import training_samples
from muybridge.data.layouts import read_samples
from muybridge.data.multigrid import Grid, long_cycle
from muybridge.data.samples import Samples
from muybridge.flow.source import FlowSource
from muybridge.model_file import LoadedModel
from muybridge.models import ClipModel, create_model, list_models, model_info
from muybridge.recipe import ClipRecipe, ModelRecipe, Recipe
from muybridge.tasks.recognition import MultiLabelTask, RecognitionTask, balanced_weights, task_for
from muybridge.types import ClipSpec, WeightsError
from muybridge.weights.remap import cross_modality


@dataclass(frozen=True, kw_only=True)
class BuiltModel:
    """A network with what is needed to build it again, and what a user should know of the weights it started from."""

    model: ClipModel
    name: str
    options: Mapping[str, Any]
    clip: ClipSpec
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Training:
    """Everything that a training run needs.

    Attributes:
        built: The network and its clip.
        samples: What is learnt from, chosen by, and tested on.
        train_set: Random, augmented clips of `samples.train`.
        val_set: One clip and crop per video of `samples.val`.
        flow: Where flow comes from, of a model that sees any.
        task: Loss and prediction, by `samples.multi_label`.
        recipe: The recipe with the model and the clip that were really built, so that the run can be repeated from
            it alone.
    """

    built: BuiltModel
    samples: Samples
    train_set: ClipDataset
    val_set: ClipDataset
    flow: FlowSource | None
    task: RecognitionTask | MultiLabelTask
    recipe: Recipe


def build_training(
    recipe: Recipe,
    data: Path | Samples,
    *,
    start: str | Path | None = None,
    start_model: str | None = None,
) -> Training:
    """Build all of a training run.

    Args:
        recipe: Its settings.
        data: A data set, or where one of `read_samples` lies.
        start: Weights to start from instead of fresh ones: a file, or the name of published weights.
        start_model: Which model they are for, where the file leaves that open.

    Raises:
        ValueError: A data set that can't be trained on, or settings that don't fit together.
        WeightsError: A `start` that can't be opened.
    """
    samples = training_samples(
        data if isinstance(data, Samples) else read_samples(data),
        val_fraction=recipe.data.val_fraction,
        val_groups=recipe.data.val_groups,
        seed=recipe.train.seed,
    )
    built = build_model(recipe, samples.labels, start=start, start_model=start_model)
    flow = (
        None if built.clip.modality == "rgb" else FlowSource(recipe.data.flow, device=recipe.data.flow_device)
    )
    # The best epoch is chosen on one view per video; all views are for the final measurement.
    quick = replace(built.clip, test_clips=1, test_crops=1)
    train_set = ClipDataset(
        samples.train,
        samples.labels,
        built.clip,
        train=True,
        augment=recipe.augment,
        clips_per_video=recipe.data.clips_per_video,
        multi_label=samples.multi_label,
        grids=_grids(recipe, built.clip),
        flow=flow,
        seed=recipe.train.seed,
    )
    weights = balanced_weights(train_set.targets, len(samples.labels)) if recipe.train.balance else None
    return Training(
        built=built,
        samples=samples,
        train_set=train_set,
        val_set=ClipDataset(
            samples.val, samples.labels, quick, train=False, multi_label=samples.multi_label, flow=flow
        ),
        flow=flow,
        task=task_for(
            samples.labels,
            multi_label=samples.multi_label,
            label_smoothing=recipe.train.label_smoothing,
            class_weights=weights,
        ),
        recipe=_complete(recipe, built),
    )


def build_model(
    recipe: Recipe,
    labels: Sequence[str],
    *,
    start: str | Path | None = None,
    start_model: str | None = None,
) -> BuiltModel:
    """Build a network with fresh weights, or from a trained one whose classifier is replaced if its labels differ.

    Raises:
        ValueError: No such model, or options that it doesn't have.
        WeightsError: A `start` that can't be opened.
    """
    torch.manual_seed(recipe.train.seed)
    if start is None:
        name = recipe.model.name
        options = dict(recipe.model.options)
        clip = model_info(name).clip
        model = create_model(name, num_classes=len(labels), **options)
        return BuiltModel(model=model, name=name, options=options, clip=_clip(recipe, clip))
    loaded = _opened(start, start_model, len(labels))
    if loaded.labels != tuple(labels):
        loaded.model.reset_head(len(labels))
    return BuiltModel(
        model=loaded.model,
        name=loaded.name,
        options=loaded.options,
        clip=_clip(recipe, loaded.clip),
        notes=loaded.notes,
    )


def _opened(start: str | Path, name: str | None, outputs: int) -> LoadedModel:
    """The weights to start from; those of a network that sees RGB also start its like that sees flow."""
    try:
        return open_checkpoint(start, model=name, num_classes=outputs)
    except WeightsError:
        if name not in list_models() or model_info(name).clip.modality == "rgb":
            raise
        try:
            seen = open_checkpoint(start, num_classes=outputs)
        except WeightsError:
            seen = None
        if seen is None or seen.clip.modality != "rgb":
            raise
    network = create_model(name, num_classes=outputs, **seen.options)
    try:
        network.load_state_dict(cross_modality(seen.model.state_dict(), network.state_dict()))
    except WeightsError as error:
        raise WeightsError(f"{start}: {seen.name} can't become {name}: {error}") from None
    note = f"what {seen.name} sees in colours is the start of what {name} sees in flow (Wang et al. 2016)"
    own = model_info(name).clip
    clip = replace(seen.clip, modality=own.modality, mean=own.mean, std=own.std)
    return replace(seen, model=network, name=name, clip=clip, facts={}, notes=(*seen.notes, note))


def _grids(recipe: Recipe, clip: ClipSpec) -> tuple[Grid, ...]:
    train = recipe.train
    return long_cycle(clip, train.epochs, train.step_epochs) if train.multigrid else ()


def _clip(recipe: Recipe, clip: ClipSpec) -> ClipSpec:
    changes = {name: value for name, value in recipe.clip if value is not None}
    if "size" in changes and "short_side" not in changes:
        # The field's ratio of resized side to crop (256 to 224) goes with a new crop.
        changes["short_side"] = round(changes["size"] * clip.short_side / clip.size)
    return replace(clip, **changes)


def _complete(recipe: Recipe, built: BuiltModel) -> Recipe:
    model = ModelRecipe(name=built.name, options=dict(built.options))
    clip = ClipRecipe.model_validate(asdict(built.clip))
    return recipe.model_copy(update={"model": model, "clip": clip})
