"""A run that is killed by SIGKILL, wherever, goes on to the very numbers of one that never was.

The children kill themselves at the chosen moment: no test has to wait for it or to hit it by luck.
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from muybridge.data.clips import ClipDataset
from muybridge.data.loading import Batch
from muybridge.data.multigrid import long_cycle
from muybridge.data.samples import Sample
from muybridge.engine import fit
from muybridge.models import create_model
from muybridge.recipe import AugmentRecipe, DataRecipe, TrainRecipe
from muybridge.tasks.recognition import RecognitionTask
from muybridge.types import ClipSpec
from muybridge.video.writer import VideoWriter

LABELS = ("dark", "bright")
SPEC = ClipSpec(frames=4, stride=1, size=32, short_side=32, test_clips=1, test_crops=1)
EPOCHS, BATCHES = 4, 3
PLAIN = TrainRecipe(epochs=EPOCHS, lr=0.05, warmup_epochs=1.0, schedule="plateau", plateau_epochs=1, seed=1)
ALL = TrainRecipe(
    epochs=EPOCHS, lr=0.001, optimizer="rmsprop", schedule="step", step_epochs=(3,), ema_decay=0.9, precise_bn=2,
    multigrid=True, backbone_lr=0.5, accumulate=2,
)  # fmt: skip
MIXED = AugmentRecipe(noise=0.05, mixup=0.8, cutmix=1.0)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Mortal(RecognitionTask):
    """Kills its process in a training step, counted from the start."""

    def __init__(self, last: int) -> None:
        super().__init__(LABELS)
        self.left = last

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        self.left -= 1
        if self.left == 0:
            die()
        return super().loss(model, batch)


def train(
    films: list[Path],
    out: Path,
    recipe: TrainRecipe,
    task: RecognitionTask,
    resume: Path | None,
    workers: int = 0,
) -> Any:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    samples = [Sample(path, (LABELS[i % 2],), str(i)) for i, path in enumerate(films)]
    whole = recipe == PLAIN
    train_set = ClipDataset(
        samples[:6], LABELS, SPEC, train=True, augment=AugmentRecipe(noise=0.05) if whole else MIXED,
        clips_per_video=1 if whole else 2,
        grids=() if whole else long_cycle(SPEC, recipe.epochs, recipe.step_epochs),
    )  # fmt: skip
    return fit(
        create_model("tiny3d", num_classes=2, width=2, dropout=0.3),
        task,
        train_set,
        ClipDataset(samples[6:], LABELS, SPEC, train=False),
        recipe,
        DataRecipe(batch_size=2 if whole else 4, num_workers=workers, repeated_augmentation=not whole),
        out_dir=out,
        devices=1,
        resume=resume,
        progress=False,
    )


def in_a_step(
    films: list[Path], out: Path, recipe: TrainRecipe, step: int, resume: Path | None, workers: int = 0
) -> None:
    train(films, out, recipe, Mortal(step), resume, workers)


def in_a_write(films: list[Path], out: Path, recipe: TrainRecipe, name: str, epoch: int, cut: str) -> None:
    """Dies when the `epoch`-th file `name` is about to appear (with half of it written), or just has."""
    appear = Path.replace
    seen = 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal seen
        seen += Path(target).name == name
        mine = Path(target).name == name and seen == epoch
        if mine and cut == "before":
            content = self.read_bytes()
            self.write_bytes(content[: len(content) // 2])
            die()
        done = appear(self, target)
        if mine:
            die()
        return done

    Path.replace = replace  # type: ignore[method-assign,assignment]
    train(films, out, recipe, RecognitionTask(LABELS), None)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Ten films of noise, every other one bright."""
    folder = tmp_path_factory.mktemp("films")
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.mp4" for number in range(10)]
    for number, path in enumerate(paths):
        frame = torch.from_numpy(rng.integers(0, 120, (3, 32, 40)) + 120 * (number % 2))
        with VideoWriter(path, fps=10, threads=1) as writer:
            for _ in range(6):
                writer.write(frame.to(torch.uint8))
    return paths


@pytest.fixture(scope="module")
def killed() -> Callable[..., None]:
    """Run a function in a child and see it killed."""
    here = Path(__file__)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["muybridge.engine", "muybridge.tasks.recognition"])
    if str(here.parent) not in sys.path:
        sys.path.append(str(here.parent))
    import test_killed  # the children know the file by this name

    def run(work: Callable[..., None], *arguments: Any) -> None:
        child = context.Process(target=getattr(test_killed, work.__name__), args=arguments)
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL

    return run


@pytest.fixture(scope="module")
def unharmed(films: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs that nobody disturbed."""
    folders = {}
    for name, recipe in (("plain", PLAIN), ("all", ALL)):
        folders[name] = tmp_path_factory.mktemp(name) / "run"
        train(films, folders[name], recipe, RecognitionTask(LABELS), None)
    # Or being killed between the writing of `last.ckpt` and of a better `best.ckpt` would not be tried.
    rows = losses(folders["plain"])
    assert sum(row["val_top1"] == rows[0]["val_top1"] for row in rows) == EPOCHS
    assert min(rows, key=lambda row: float(row["val_loss"]))["epoch"] != "1"
    return folders


def losses(out: Path) -> list[dict[str, str]]:
    with (out / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def assert_same(out: Path, expected: Path) -> None:
    """Every figure of every epoch and every weight, to the last bit; and nothing half-written left."""
    assert len(losses(expected)) == EPOCHS
    assert losses(out) == losses(expected)
    for name in ("last.ckpt", "best.ckpt"):
        ours, theirs = (torch.load(f / name, weights_only=True)["state_dict"] for f in (out, expected))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert {path.name for path in out.iterdir()} == {"metrics.csv", "tensorboard", "last.ckpt", "best.ckpt"}


STEPS = [int(step) for step in np.random.default_rng(7).integers(BATCHES + 1, EPOCHS * BATCHES + 1, 2)]


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_a_step(
    films: list[Path], unharmed: dict[str, Path], killed: Callable[..., None], tmp_path: Path, step: int
) -> None:
    killed(in_a_step, films, tmp_path, PLAIN, step, None)
    assert len(losses(tmp_path)) == (step - 1) // BATCHES
    train(films, tmp_path, PLAIN, RecognitionTask(LABELS), tmp_path)
    assert_same(tmp_path, unharmed["plain"])


def test_killed_with_loader_workers(
    films: list[Path], unharmed: dict[str, Path], killed: Callable[..., None], tmp_path: Path
) -> None:
    """Workers read ahead, so they must know from the first batch on which epoch it is."""
    killed(in_a_step, films, tmp_path, PLAIN, 2 * BATCHES + 2, None, 1)
    train(films, tmp_path, PLAIN, RecognitionTask(LABELS), tmp_path, 1)
    assert_same(tmp_path, unharmed["plain"])


@pytest.mark.parametrize(
    ("name", "epoch", "cut"),
    [
        ("last.ckpt", 2, "before"),
        ("last.ckpt", 2, "after"),
        ("best.ckpt", 2, "before"),
        ("metrics.csv", 3, "before"),
        ("metrics.csv", EPOCHS, "before"),
    ],
)
def test_killed_while_writing(
    films: list[Path], unharmed: dict[str, Path], killed: Callable[..., None], tmp_path: Path, name: str, epoch: int,
    cut: str,
) -> None:  # fmt: skip
    killed(in_a_write, films, tmp_path, PLAIN, name, epoch, cut)
    assert cut == "after" or list(tmp_path.glob(".*.part*"))
    train(films, tmp_path, PLAIN, RecognitionTask(LABELS), tmp_path)
    assert_same(tmp_path, unharmed["plain"])


def test_killed_again_and_again_with_everything_on(
    films: list[Path], unharmed: dict[str, Path], killed: Callable[..., None], tmp_path: Path
) -> None:
    """Running mean, mixed clips, measured norms, growing clips, repeated augmentation, accumulated batches."""
    killed(in_a_step, films, tmp_path, ALL, 4, None)
    killed(in_a_step, films, tmp_path, ALL, 5, tmp_path)
    train(films, tmp_path, ALL, RecognitionTask(LABELS), tmp_path)
    assert_same(tmp_path, unharmed["all"])


def test_killed_before_the_first_epoch_ended(
    films: list[Path], unharmed: dict[str, Path], killed: Callable[..., None], tmp_path: Path
) -> None:
    killed(in_a_write, films, tmp_path, PLAIN, "last.ckpt", 1, "before")
    with pytest.raises(ValueError, match="nothing to go on with; start it again without --resume") as caught:
        train(films, tmp_path, PLAIN, RecognitionTask(LABELS), tmp_path)
    assert "\n" not in str(caught.value)
    shutil.rmtree(tmp_path / "tensorboard")
    train(films, tmp_path, PLAIN, RecognitionTask(LABELS), None)
    assert_same(tmp_path, unharmed["plain"])
