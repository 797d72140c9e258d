"""`muybridge checkpoints identify` and `convert`: weight files of other projects, recognized and made ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from muybridge.bundled import bundled_path
from muybridge.cli import console
from muybridge.files import check_target

if TYPE_CHECKING:
    from muybridge.model_file import LoadedModel

app = typer.Typer(help="Weight files of other projects.", no_args_is_help=True, rich_markup_mode=None)


def read_labels(path: Path | None) -> tuple[str, ...] | None:
    """One label per line of a text file.

    Raises:
        ValueError: Not a text file, or one without lines.
    """
    if path is None:
        return None
    if not path.is_file():
        what = "not a file" if path.exists() else "no such file"
        raise ValueError(f"{path}: {what}; wanted a text file with one label per line")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file; wanted one label per line, in UTF-8") from None
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise ValueError(f"{path}: holds no labels; wanted one per line")
    return labels


def fetched(source: str) -> str:
    """Have published weights in the cache before they are opened, with a bar and a word on how they were checked.

    Args:
        source: A file, or a name of published weights.

    Returns:
        The file as it was given, or the whole name of the weights.

    Raises:
        WeightsError: It can't be had.
    """
    from muybridge.published import find_weights
    from muybridge.weights.fetch import cache_path, fetch

    if Path(source).exists() or bundled_path(source):
        return source
    try:
        weights = find_weights(source)
    except ValueError:
        return source  # not a name: whoever opens it says what is wrong with it as a file
    is_new = not cache_path(weights.url).exists()
    with console.progress(f"fetching {weights.name}", of_bytes=True) as step:
        path = fetch(weights, progress=step)
    if is_new:
        trust = (
            ""
            if weights.sha256
            else "; nothing was published to check it against, so this first one is trusted"
        )
        console.say(f"fetched {path}{trust}")
    return weights.name


def tell(loaded: LoadedModel) -> None:
    """What a user should know of a model before believing its answers."""
    for note in loaded.notes:
        console.say(f"note: {note}")


@app.command("identify")
def identify(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", readable=False, help="A weight file, as its project published it."),
    ],
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object per possibility instead of lines.")
    ] = False,
) -> None:
    """Tell whose weight file it is, which model it fills and what becomes of its keys. Nothing in it is executed."""
    import json as json_module

    from muybridge import matching
    from muybridge.checkpoints import open_checkpoint
    from muybridge.model_file import is_model_file

    if is_model_file(file) or (file / "config.json").is_file():
        loaded = open_checkpoint(file)
        facts: dict[str, Any] = {
            "file": str(file),
            "origin": loaded.origin,
            "model": loaded.name,
            "options": dict(loaded.options),
        }
        facts |= {"classes": len(loaded.labels), "clip": loaded.clip.to_dict()}
        console.out(json_module.dumps(facts) if json else loaded.report)
        return
    found = matching.identify(file)
    if json:
        for match in found:
            console.out(json_module.dumps(match.to_dict()))
        return
    video = [match for match in found if not match.reading.inflates]
    if video:
        console.out("\n\n".join(match.describe() for match in video))
    else:
        names = dict.fromkeys(name for match in found for name in match.models)
        console.out(f"{file} ({found[0].reading.origin}): weights to start from, without a classifier, for")
        console.out("\n".join(f"  {name}" for name in names))
        console.say(f"next: muybridge train DATA --start {file} --model {next(iter(names))}")
    if len(video) > 1:
        names = dict.fromkeys(match.reading.model for match in video)
        console.say(
            f"its keys leave open which it is; say it where you open it: --model {' or '.join(names)}"
        )


@app.command("convert")
def convert(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|NAME", help="A weight file, as its project published it, or published weights."
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The model.safetensors to write.")],
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which model it is, where the file leaves it open.")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", readable=False, help="A text file with one label per line."),
    ] = None,
) -> None:
    """Write a weight file anew as one of ours: safetensors that knows its model, labels and clip."""
    from muybridge.checkpoints import open_checkpoint
    from muybridge.model_file import save_model

    if out.suffix != ".safetensors":
        raise ValueError(f"{out}: wanted a file name that ends in .safetensors")
    check_target(out)
    if out.exists() and Path(file).exists() and out.samefile(file):
        raise ValueError(f"{out}: is the file to convert; give another name")
    names = read_labels(labels)
    loaded = open_checkpoint(fetched(file), model=model, labels=names)
    console.out(loaded.report)
    tell(loaded)
    save_model(
        out,
        loaded.model,
        name=loaded.name,
        options=loaded.options,
        labels=loaded.labels,
        clip=loaded.clip,
        facts=loaded.facts,
    )
    console.say(f"wrote {out}")
