"""Model names become models here, and nowhere else.

There is no list of models to keep. A family is a file of this package; a model is a function in it under
`@model`. The names are read off the source text, so that `list_models` answers without importing torch; a
family is imported when one of its models is built. For the same reason the decorator's arguments are written
out, with literals, `ClipSpec`, `Fraction` and `replace` only, or name a `ClipSpec` of the module's top level.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeVar

from muybridge.types import ClipSpec

if TYPE_CHECKING:
    from muybridge.models._blocks import ClipModel

Builder = TypeVar("Builder", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """What is known about a model before it is built.

    Attributes:
        name: The name that `create_model` takes.
        family: The file of `muybridge.models` that it is in, or your own module.
        clip: How the model wants to be fed.
        paper: Authors, year and link.
        summary: One line on what it is.
    """

    name: str
    family: str = ""
    clip: ClipSpec
    paper: str
    summary: str


def model(*, clip: ClipSpec, paper: str, summary: str) -> Callable[[Builder], Builder]:
    """Make a builder known by its function's name.

    The builder takes keyword arguments only, `num_classes` among them, and returns a `ClipModel`.

    Args:
        clip: How the model wants to be fed.
        paper: Authors, year and link.
        summary: One line on what it is.
    """

    def mark(builder: Builder) -> Builder:
        # A function of ours keeps its facts on itself: no registry has to be filled before it can be asked.
        builder.model_info = ModelInfo(  # type: ignore[attr-defined]
            name=builder.__name__,
            family=builder.__module__.rpartition(".")[2],
            clip=clip,
            paper=paper,
            summary=summary,
        )
        return builder

    return mark


def list_models(pattern: str = "*") -> list[str]:
    """Names that `create_model` takes, sorted.

    Args:
        pattern: A shell pattern such as `*slow*`.
    """
    return sorted(name for name in _contents() if fnmatchcase(name, pattern))


def model_info(name: str) -> ModelInfo:
    """Clip, paper and summary of a model, without building it.

    Args:
        name: A name of `list_models()`, or `package.module:builder` for a builder of your own under `@model`.

    Raises:
        ValueError: No such model, or a builder of your own without `@model`.
    """
    if ":" in name:
        info: ModelInfo | None = getattr(_load(name), "model_info", None)
        if info is None:
            raise ValueError(
                f"{name} does not say how to feed it; decorate it with muybridge.models.model(clip=...)"
            )
        return replace(info, name=name)
    return _entry(name)[1]


def create_model(name: str, *, num_classes: int = 400, **options: Any) -> ClipModel:
    """Build a model with fresh weights.

    Args:
        name: A name of `list_models()`, or `package.module:builder` for a builder of your own.
        num_classes: Number of classes (`k`).
        **options: The builder's own options, for example `dropout=0.2`.

    Raises:
        ValueError: No such model, an option that it does not have, or a value out of range.
    """
    builder = _load(name if ":" in name else f"{_entry(name)[0]}:{name}")
    _check(name, options, inspect.signature(builder).parameters)
    built: ClipModel = builder(num_classes=num_classes, **options)
    return built


def _check(name: str, options: Mapping[str, Any], accepted: Mapping[str, inspect.Parameter]) -> None:
    known = sorted(set(accepted) - {"num_classes"})
    is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values())
    for option, value in options.items():
        if option not in known:
            if is_open:
                continue
            hint = _near(option, known) or "it takes: " + (", ".join(known) or "none")
            raise ValueError(f"model {name} has no option {option!r}; {hint}")
        # Options come from recipe files, too: "0.5" or "no" must not pass for a number or for true.
        default = accepted[option].default
        wanted = (int, float) if isinstance(default, float) else type(default)
        if isinstance(default, (bool, int, float, str)) and (
            not isinstance(value, wanted) or isinstance(value, bool) != isinstance(default, bool)
        ):
            raise ValueError(
                f"model {name}: {option} is {value!r}; it must be of type {type(default).__name__}, "
                f"such as {default!r}"
            )


def _entry(name: str) -> tuple[str, ModelInfo]:
    contents = _contents()
    if name not in contents:
        hint = _near(name, contents) or "`muybridge models` lists them"
        raise ValueError(f"no model {name!r}; {hint}")
    return contents[name]


def _near(name: str, names: Any) -> str:
    near = difflib.get_close_matches(name, sorted(names), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else ""


def _load(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    try:
        builder = getattr(importlib.import_module(module), function)
    except (ImportError, ValueError) as error:
        raise ValueError(f"no model {name!r}; cannot import {module!r} ({error})") from error
    except AttributeError:
        raise ValueError(f"no model {name!r}; module {module} has no {function!r}") from None
    if not callable(builder):
        raise ValueError(f"no model {name!r}; {function!r} is not a function that builds one")
    return builder  # type: ignore[no-any-return]


@cache
def _contents() -> dict[str, tuple[str, ModelInfo]]:
    """Name -> (module, facts) of every model of this package."""
    found: dict[str, tuple[str, ModelInfo]] = {}
    package = __package__ or "muybridge.models"
    for file in resources.files(package).iterdir():
        if not file.name.endswith(".py") or file.name.startswith("_"):
            continue
        module = f"{package}.{file.name.removesuffix('.py')}"
        for info in _read(file.read_text(encoding="utf-8"), module):
            if info.name in found:
                raise RuntimeError(
                    f"two models are called {info.name}: in {found[info.name][0]} and {module}"
                )
            found[info.name] = (module, info)
    return found


def _read(source: str, module: str) -> Iterator[ModelInfo]:
    known: dict[str, Any] = {"ClipSpec": ClipSpec, "Fraction": Fraction, "replace": replace}
    for statement in ast.parse(source, filename=module).body:
        match statement:
            # A clip that several models share has a name of its own.
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="ClipSpec" | "replace"))
            ):
                known[name] = _value(statement.value, module, known)
            case ast.FunctionDef():
                for mark in statement.decorator_list:
                    if (
                        isinstance(mark, ast.Call)
                        and isinstance(mark.func, ast.Name)
                        and mark.func.id == "model"
                    ):
                        values = {str(k.arg): _value(k.value, module, known) for k in mark.keywords}
                        yield ModelInfo(name=statement.name, family=module.rpartition(".")[2], **values)


def _value(expression: ast.expr, module: str, known: Mapping[str, Any]) -> Any:
    code = compile(ast.Expression(expression), module, "eval")
    try:
        return eval(code, {"__builtins__": {}, **known})
    except NameError as error:
        raise RuntimeError(f"{module}: @model is read without importing the file, so {error}") from None
