"""The command line: `muybridge train`, `test`, `compare`, `recognize`, `flow`, `models`, `extract`, `checkpoints`,
`video`, `data`, `doctor`, `demo`.

Commands import what they need when they run, so `--help` answers at once. Results go to standard output, everything
said on the way to standard error. Bad input ends with one line and exit code 2.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from muybridge.cli import (
    checkpoints,
    compare,
    console,
    data,
    demo,
    evaluate,
    extract,
    flow,
    inspect,
    recognize,
    train,
    zoo,
)
from muybridge.types import VideoError, WeightsError

# OpenMP's threads spin while they wait for each other, which makes two of them several times slower than one on a
# machine that does anything else. Read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

app = typer.Typer(
    name="muybridge",
    help="What happens in a video, when, and who does it where.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        from muybridge import __version__

        console.out(f"muybridge {__version__}")
        raise typer.Exit


app.command("recognize")(recognize.recognize)
app.command("train")(train.train)
app.command("test")(evaluate.measure)
app.command("compare")(compare.compare)
app.command("flow")(flow.flow)
app.command("models")(zoo.models)
app.command("extract")(extract.extract)
app.add_typer(checkpoints.app, name="checkpoints")
app.add_typer(inspect.video_app, name="video")
app.add_typer(data.app, name="data")
app.command("doctor")(inspect.doctor)
app.command("demo")(demo.demo)


def main() -> None:
    """Run the command line; every expected failure is one line on standard error and exit code 2."""
    try:
        app(prog_name="muybridge")
    except (VideoError, WeightsError, ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # the reader of our output has gone, as in `... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        if os.environ.get("MUYBRIDGE_TRACEBACK"):
            raise
        console.fail(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        console.fail("stopped")
        sys.exit(130)
