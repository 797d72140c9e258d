"""`muybridge checkpoints identify` and `convert`: weight files of other projects, recognized and made ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from muybridge.cli import console

app = typer.Typer(help="Weight files of other projects.", no_args_is_help=True, rich_markup_mode=None)


def read_labels(path: Path | None) -> tuple[str, ...] | None:
    """One label per line of a text file.

    Raises:
        ValueError: Not a text file, or one without lines.
    """
    if path is None:
        return None
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file; wanted one label per line, in UTF-8") from None
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise ValueError(f"{path}: holds no labels; wanted one per line")
    return labels


def fetched(source: str) -> str:
    """Have published weights in the cache before they are opened, with a bar and a word on how they were checked.

    Returns:
        The source as it was given: a file, or a name of published weights.
    """
    from muybridge.published import find_weights
    from muybridge.weights.fetch import cache_path, fetch

    if Path(source).exists():
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


@app.command("identify")
def identify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A weight file, as its project published it.")],
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object per possibility instead of lines.")
    ] = False,
) -> None:
    """Tell whose weight file it is, which model it fills and what becomes of its keys. Nothing in it is executed."""
    from muybridge import checkpoints

    found = checkpoints.identify(file)
    if json:
        import json as json_module

        for match in found:
            console.out(json_module.dumps(match.to_dict()))
        return
    video = [match for match in found if not match.reading.inflates]
    if video:
        console.out("\n\n".join(match.describe() for match in video))
    else:
        console.out(f"{file} ({found[0].reading.origin}): has no classifier of its own; it can start off:")
        console.out("\n".join(f"  {name}" for match in found for name in match.models))
    if len(video) > 1:
        console.say(f"its keys leave open which of {len(video)} it is; open it with --model")


@app.command("convert")
def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A weight file, as its project published it.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The model.safetensors to write.")],
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which model it is, where the file leaves it open.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A text file with one label per line.")
    ] = None,
) -> None:
    """Write a weight file anew as one of ours: safetensors that knows its model, labels and clip."""
    from muybridge.checkpoints import open_checkpoint
    from muybridge.model_file import save_model

    if out.suffix != ".safetensors":
        raise ValueError(f"{out}: wanted a file name that ends in .safetensors")
    loaded = open_checkpoint(file, model=model, labels=read_labels(labels))
    if loaded.report:
        console.out(loaded.report)
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
