"""Typed recipes: everything that a training run can be told, in one closed set of names with units.

A recipe is a TOML file that is complete and readable by itself; there is no inheritance. On the command line any
value can be set by its path (`train.lr=0.01`). An unknown name is refused with its full path.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

Rate = Annotated[Fraction, Field(gt=0)]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class ModelRecipe(_Closed):
    """Which network, and its own options."""

    name: str = "tiny3d"
    options: dict[str, Any] = Field(
        default_factory=dict, description="keyword arguments of the model's builder, for example dropout"
    )


class ClipRecipe(_Closed):
    """What differs from the clip that the model brings; nothing set means the model's own."""

    frames: int | None = Field(None, ge=1)
    stride: int | None = Field(None, ge=1)
    sampling: Literal["dense", "segments"] | None = None
    fps: Rate | None = None
    size: int | None = Field(None, ge=1)
    short_side: int | None = Field(None, ge=1)
    modality: Literal["rgb", "flow", "rgb+flow"] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    test_clips: int | None = Field(None, ge=1)
    test_crops: Literal[1, 3] | None = None


class AugmentRecipe(_Closed):
    """Random changes of training clips."""

    scale: tuple[float, float] = Field((1.0, 1.25), description="short side, as multiples of clip.short_side")
    shift: float = Field(
        1.0, ge=0, le=1, description="how far from the centre a crop may lie: 0 the centre alone, 1 anywhere"
    )
    flip: float = Field(0.5, ge=0, le=1, description="probability of a left-right flip")
    flip_never: tuple[str, ...] = Field((), description="labels where left and right matter")
    brightness: float = Field(0.0, ge=0)
    contrast: float = Field(0.0, ge=0)
    saturation: float = Field(0.0, ge=0)
    noise: float = Field(
        0.0, ge=0, description="standard deviation of Gaussian noise, in units of 0..1 pixels"
    )
    mixup: float = Field(
        0.0, ge=0, description="alpha of mixup: two clips laid over each other (Zhang et al. 2018); 0: off"
    )
    cutmix: float = Field(
        0.0,
        ge=0,
        description="alpha of CutMix: a box of one clip, in all frames, set into another (Yun et al. 2019); 0: off",
    )
    mix_prob: float = Field(1.0, ge=0, le=1, description="probability that a batch is mixed at all")
    cutmix_share: float = Field(
        0.5, ge=0, le=1, description="share of mixed batches that get CutMix, where both are on"
    )


class DataRecipe(_Closed):
    """How samples are split and loaded."""

    val_fraction: float = Field(0.2, gt=0, lt=1, description="share held out where DATA brings no split")
    val_groups: tuple[str, ...] = Field((), description="groups (third column of a list) held out instead")
    batch_size: int = Field(8, ge=1, description="clips per step and device")
    num_workers: int = Field(1, ge=0, description="loader processes per device")
    clips_per_video: int = Field(1, ge=1, description="random clips taken of each video in an epoch")
    repeated_augmentation: bool = Field(
        False,
        description="those clips of a video share a batch (Hoffer et al. 2020) instead of lying anywhere",
    )
    flow: str = Field(
        "tvl1",
        description="for models that see flow: the folder where it is stored, or the method that makes it of every "
        "clip anew",
    )
    flow_device: str = Field("cpu", description="where that method computes; a GPU needs num_workers = 0")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.flow_device != "cpu" and self.num_workers:
            raise ValueError(
                f"flow_device {self.flow_device} can't be shared with {self.num_workers} loader processes; set "
                "data.num_workers=0"
            )
        return self


class TrainRecipe(_Closed):
    """Optimisation."""

    epochs: int = Field(30, ge=1)
    steps: int | None = Field(
        None, ge=1, description="length in optimiser steps instead of epochs, rounded to whole epochs"
    )
    optimizer: Literal["sgd", "rmsprop", "adam", "adamw"] = Field(
        "sgd",
        description="sgd and rmsprop take momentum; adam (Kingma and Ba 2015) and adamw (Loshchilov and Hutter 2019) "
        "take betas",
    )
    lr: float = Field(0.01, gt=0, description="learning rate at a total batch of lr_batch clips")
    lr_batch: int | None = Field(
        None, ge=1, description="scale lr linearly with the total batch from this one; none: off"
    )
    backbone_lr: float = Field(
        1.0,
        gt=0,
        description="the backbone's rate as a multiple of the classifier's (below 1 when fine-tuning)",
    )
    momentum: float = Field(0.9, ge=0, lt=1)
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(1e-4, ge=0)
    decay_norms: bool = Field(
        True,
        description="decay norms and biases too; PySlowFast's X3D and SlowFast leave norms out, MViT both",
    )
    schedule: Literal["constant", "step", "cosine", "plateau"] = "cosine"
    step_epochs: tuple[int, ...] = Field(
        (), description="epochs after which the rate is multiplied by step_factor"
    )
    step_factor: float = Field(0.1, gt=0, lt=1, description="of steps and plateaus")
    plateau_epochs: int = Field(5, ge=1, description="epochs without a better validation loss before a step")
    warmup_epochs: float = Field(0.0, ge=0, description="the rate rises linearly (Goyal et al. 2017)")
    warmup_lr: float = Field(0.0, ge=0, description="where it rises from, at a total batch of lr_batch clips")
    cosine_after_warmup: bool = Field(
        True, description="the cosine begins when warm-up ends; false: with the run (SlowFast)"
    )
    clip_norm: float = Field(40.0, ge=0, description="largest gradient norm; 0: no clipping")
    accumulate: int = Field(1, ge=1, description="batches per optimiser step")
    precision: Annotated[Literal["32", "16-mixed", "bf16-mixed"], BeforeValidator(str)] = "32"
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Szegedy et al. 2016")
    balance: bool = Field(False, description="weigh classes by their inverse frequency in the loss")
    freeze_backbone: bool = Field(False, description="train the classifier alone, on frozen features")
    ema_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="validate and keep a running mean of the weights, in which each step has a share of 1 - ema_decay "
        "(Polyak and Juditsky 1992); 0: off",
    )
    precise_bn: int = Field(
        0,
        ge=0,
        description="batches to measure batch norm on before validation (Wu and Johnson 2021); 0: off",
    )
    multigrid: bool = Field(
        False,
        description="the long cycle of Wu et al. 2020: between steps of the rate, small clips in large batches first; "
        "needs schedule step",
    )
    early_stop_epochs: int = Field(
        0, ge=0, description="stop after so many epochs without a better one; 0: never"
    )
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.multigrid and (self.schedule != "step" or not self.step_epochs or self.steps):
            raise ValueError(
                "multigrid needs schedule step with step_epochs, and a length in epochs: its cycles end with the steps "
                "of the rate"
            )
        if self.precise_bn and self.freeze_backbone:
            raise ValueError(
                "precise_bn would change the backbone that freeze_backbone keeps; leave one of them out"
            )
        return self


class Recipe(_Closed):
    """A whole training run."""

    model: ModelRecipe = Field(default_factory=ModelRecipe)
    clip: ClipRecipe = Field(default_factory=ClipRecipe)
    augment: AugmentRecipe = Field(default_factory=AugmentRecipe)
    data: DataRecipe = Field(default_factory=DataRecipe)
    train: TrainRecipe = Field(default_factory=TrainRecipe)


def list_recipes() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("muybridge") / "recipes"
    return sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml"))


def load_recipe(source: str | Path | None = None, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and set single values.

    Args:
        source: A TOML file, the `recipe.json` of an earlier run, the name of a recipe of the package
            (`list_recipes()`), or None for the defaults.
        overrides: `path.to.value=TOML value`, for example `train.lr=0.01` or `model.name=c3d`.

    Raises:
        ValueError: No such recipe, broken TOML, or a name or value that a recipe doesn't have; the text gives the
            full path of each.
    """
    values: dict[str, Any] = {}
    if source is not None:
        values = _read(source)
    for override in overrides:
        _set(values, override)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise ValueError("; ".join(_explain(error))) from None


def dump_recipe(recipe: Recipe) -> dict[str, Any]:
    """Plain JSON values, to store beside the weights they gave."""
    return recipe.model_dump(mode="json")


def _read(source: str | Path) -> dict[str, Any]:
    path = Path(source)
    if path.suffix not in (".toml", ".json") and not path.is_file():
        names = list_recipes()
        if str(source) not in names:
            near = difflib.get_close_matches(str(source), names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
            raise ValueError(f"no recipe {str(source)!r}; {hint} (or give a .toml file)")
        text = (resources.files("muybridge") / "recipes" / f"{source}.toml").read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"recipe {path}: cannot be read ({error})") from None
    try:
        values: dict[str, Any] = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:  # both decoders' errors are ValueErrors
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ValueError(f"recipe {path}: not valid {kind}: {error}") from None
    return values


def _set(values: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    name, text = name.strip(), text.strip()
    if not equals or not name:
        raise ValueError(f"{override!r} is not a setting; write path=value, for example train.lr=0.01")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string: the shell has eaten the quotes
    *parents, last = name.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ValueError(f"{override!r}: {parent} is a value, not a group of values")
    values[last] = value


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        path = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(path, _paths(Recipe), n=1, cutoff=0.5)
            yield f"a recipe has no {path}" + (f"; did you mean {near[0]}?" if near else "")
        else:
            # What a group of values has against itself is said in words of ours.
            own = problem["type"] == "value_error"
            message = problem["msg"].removeprefix("Value error, ")
            yield f"{path}: {message}" if own else f"{path} = {problem['input']!r}: {message.lower()}"


def _paths(model: type[BaseModel], prefix: str = "") -> list[str]:
    paths = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            paths += _paths(inner, f"{prefix}{name}.")
        else:
            paths.append(prefix + name)
    return paths
