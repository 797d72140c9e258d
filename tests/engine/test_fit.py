from __future__ import annotations

import csv
import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from muybridge.data.clips import ClipDataset
from muybridge.data.loading import Batch
from muybridge.data.multigrid import long_cycle
from muybridge.data.samples import Sample
from muybridge.engine import FitResult, fit
from muybridge.models import create_model
from muybridge.recipe import AugmentRecipe, DataRecipe, TrainRecipe
from muybridge.tasks.recognition import RecognitionTask
from muybridge.types import ClipSpec, VideoError
from muybridge.video.writer import VideoWriter

LABELS = ("dark", "bright")
SPEC = ClipSpec(frames=4, stride=1, size=32, short_side=32, test_clips=1, test_crops=1)
TRAIN = TrainRecipe(epochs=3, lr=0.05, schedule="cosine")
DATA = DataRecipe(batch_size=4, num_workers=0)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sample, ...]:
    """Ten films of noise, five dark and five bright."""
    folder = tmp_path_factory.mktemp("films")
    generator = torch.Generator().manual_seed(0)
    samples = []
    for number in range(10):
        label = LABELS[number % 2]
        noise = torch.randint(0, 120, (3, 32, 40), generator=generator) + (120 if label == "bright" else 0)
        with VideoWriter(folder / f"{number}.mp4", fps=10, threads=1) as writer:
            for _ in range(6):
                writer.write(noise.to(torch.uint8))
        samples.append(Sample(folder / f"{number}.mp4", (label,), str(number)))
    return tuple(samples)


def sets(films: tuple[Sample, ...]) -> tuple[ClipDataset, ClipDataset]:
    train = ClipDataset(films[:6], LABELS, SPEC, train=True, augment=AugmentRecipe(noise=0.05))
    return train, ClipDataset(films[6:], LABELS, SPEC, train=False)


def model() -> nn.Module:
    torch.manual_seed(0)
    return create_model("tiny3d", num_classes=2, width=2, dropout=0.3)


def run(films: tuple[Sample, ...], folder: Path, train: TrainRecipe = TRAIN, **options: Any) -> FitResult:
    network = options.pop("model", None) or model()
    data = options.pop("data", DATA)
    task = options.pop("task", None) or RecognitionTask(LABELS)
    options.setdefault("progress", False)
    return fit(network, task, *sets(films), train, data, out_dir=folder, devices=1, **options)


def figures(result: FitResult) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in result.history]


def test_a_model_learns_and_keeps_its_best_epoch(films: tuple[Sample, ...], tmp_path: Path) -> None:
    network = model()
    before = [p.detach().clone() for p in network.parameters()]
    result = run(films, tmp_path, TRAIN.model_copy(update={"epochs": 8}), model=network)
    assert len(result.history) == 8
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]
    best = max(result.history, key=lambda row: (row["val_top1"], -row["val_loss"]))
    assert (result.best_epoch, result.best_score) == (best["epoch"], best["val_top1"])
    assert result.best_score == 1.0
    assert not network.training
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    # The weights are those of the best epoch, not of the last.
    stored = torch.load(result.best, weights_only=True)["state_dict"]
    assert all(torch.equal(stored[f"model.{k}"], v) for k, v in network.state_dict().items())
    val = sets(films)[1]
    with torch.inference_mode():
        loss = torch.stack(
            [-network(val[i]["clip"]).log_softmax(1)[0, val[i]["label"]] for i in range(len(val))]  # type: ignore[arg-type]
        ).mean()
    assert float(loss) == pytest.approx(best["val_loss"], rel=1e-4)


def test_the_log_reads_back_and_nothing_half_written_stays(films: tuple[Sample, ...], tmp_path: Path) -> None:
    result = run(films, tmp_path)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert rows == result.history
    assert {path.name for path in tmp_path.iterdir()} == {
        "metrics.csv",
        "tensorboard",
        "last.ckpt",
        "best.ckpt",
    }
    assert list((tmp_path / "tensorboard").iterdir())


def test_the_same_seed_gives_the_same_history(films: tuple[Sample, ...], tmp_path: Path) -> None:
    first, again = run(films, tmp_path / "1"), run(films, tmp_path / "2")
    assert figures(first) == figures(again)
    other = run(films, tmp_path / "3", TRAIN.model_copy(update={"seed": 1}))
    assert figures(first) != figures(other)


@pytest.mark.parametrize("schedule", ["cosine", "plateau"])
def test_a_resumed_run_is_the_run_that_never_stopped(
    films: tuple[Sample, ...], tmp_path: Path, schedule: str
) -> None:
    train = TRAIN.model_copy(update={"epochs": 4, "schedule": schedule, "plateau_epochs": 1})
    whole = run(films, tmp_path / "whole", train)

    class StopAfter(RecognitionTask):
        passes = 0

        def metrics(self) -> Any:
            self.passes += 1
            if self.passes == 4:  # one at the start, then one per epoch
                raise KeyboardInterrupt
            return super().metrics()

    part = run(films, tmp_path / "part", train, task=StopAfter(LABELS))
    assert part.interrupted
    assert figures(part) == figures(whole)[:2]
    network = model()
    rest = run(films, tmp_path / "part", train, resume=tmp_path / "part", model=network)
    assert figures(rest) == figures(whole)
    assert not rest.interrupted
    stored = torch.load(whole.best, weights_only=True)["state_dict"]
    assert all(torch.equal(stored[f"model.{k}"], v) for k, v in network.state_dict().items())


def test_ctrl_c_leaves_one_line_and_the_signal_handler(
    films: tuple[Sample, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(RecognitionTask):
        steps = 0

        def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
            self.steps += 1
            if self.steps == 4:
                raise KeyboardInterrupt
            return super().loss(model, batch)

    handler = signal.getsignal(signal.SIGINT)
    result = run(films, tmp_path / "one", task=Interrupted(LABELS))
    assert result.interrupted
    assert len(result.history) == 1
    assert capsys.readouterr().err == (
        f"interrupted after epoch 1/3; go on with --resume {tmp_path / 'one' / 'last.ckpt'}\n"
    )
    assert signal.getsignal(signal.SIGINT) is handler
    early = Interrupted(LABELS)
    early.steps = 3
    with pytest.raises(KeyboardInterrupt):
        run(films, tmp_path / "none", task=early)


def test_schedule_warmup_and_batch_set_the_rate(films: tuple[Sample, ...], tmp_path: Path) -> None:
    train = TrainRecipe(
        epochs=4, lr=0.01, lr_batch=2, schedule="step", step_epochs=(2, 3), step_factor=0.5, warmup_epochs=1.0,
        accumulate=2,
    )  # fmt: skip
    rates = [row["lr"] for row in run(films, tmp_path, train).history]
    # Batches of 4, two per step: 0.01 * 8 / 2. The last step of the first epoch is half-way through warm-up.
    assert rates == pytest.approx([0.02, 0.04, 0.02, 0.01])


def test_a_frozen_backbone_stays_to_the_last_statistic(films: tuple[Sample, ...], tmp_path: Path) -> None:
    network = model()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    run(films, tmp_path, TRAIN.model_copy(update={"freeze_backbone": True}), model=network)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.linear.weight", "head.linear.bias"}
    assert all(p.requires_grad for p in network.parameters())


def test_the_running_mean_of_the_weights_is_what_is_kept(films: tuple[Sample, ...], tmp_path: Path) -> None:
    network = model()
    train = TRAIN.model_copy(update={"ema_decay": 0.9, "schedule": "constant"})
    result = run(films, tmp_path, train, model=network)
    stored = torch.load(result.best, weights_only=True)["state_dict"]
    assert all(torch.equal(stored[f"average.{k}"], v) for k, v in network.state_dict().items())
    assert not torch.equal(stored["model.head.linear.weight"], stored["average.head.linear.weight"])
    with pytest.raises(ValueError, match="was trained with train.ema_decay") as caught:
        run(films, tmp_path, TRAIN, resume=tmp_path)
    assert "\n" not in str(caught.value)


def test_norms_are_measured_for_the_weights_that_are_judged(
    films: tuple[Sample, ...], tmp_path: Path
) -> None:
    network = model()
    train = TRAIN.model_copy(update={"epochs": 1, "precise_bn": 2})
    run(films, tmp_path, train, model=network)
    # The two batches are all six clips of an epoch of their own, the one after the run's.
    clips = torch.stack([sets(films)[0][6 + i]["clip"] for i in range(6)])  # type: ignore[misc]
    first: Any = network.stem.frames  # type: ignore[union-attr]
    seen, norm = first.conv(clips), first.norm
    torch.testing.assert_close(norm.running_mean, seen.mean(dim=(0, 2, 3, 4)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        norm.running_var, seen.transpose(0, 1).flatten(1).var(dim=1), atol=1e-4, rtol=1e-3
    )


def test_a_length_in_steps_becomes_whole_epochs(films: tuple[Sample, ...], tmp_path: Path) -> None:
    # Six clips in batches of four are two steps.
    result = run(films, tmp_path, TRAIN.model_copy(update={"steps": 7, "schedule": "constant"}))
    assert len(result.history) in (3, 4)
    longer = run(films, tmp_path / "2", TRAIN.model_copy(update={"steps": 8, "accumulate": 2}))
    assert len(longer.history) == 8


def test_multigrid_has_fewer_steps_at_a_rate_as_much_higher(
    films: tuple[Sample, ...], tmp_path: Path
) -> None:
    train = TrainRecipe(epochs=16, lr=0.001, schedule="step", step_epochs=(15,), multigrid=True)
    grids = long_cycle(SPEC, train.epochs, train.step_epochs)
    train_set = ClipDataset(films[:6], LABELS, SPEC, train=True, grids=grids)

    class Shapes(RecognitionTask):
        def __init__(self) -> None:
            super().__init__(LABELS)
            self.seen: list[tuple[int, ...]] = []

        def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
            assert batch["clip"] is not None
            self.seen.append(tuple(batch["clip"].shape))
            return super().loss(model, batch)

    task = Shapes()
    data = DATA.model_copy(update={"batch_size": 1})
    result = fit(model(), task, train_set, None, train, data, out_dir=tmp_path, devices=1, progress=False)
    # Of the 15 epochs before the step, 8, 4, 2 and 1 have batches 8, 4, 2 and 1 times as large (Wu et al. 2020).
    larger = [8] * 8 + [4] * 4 + [2] * 2 + [1]
    assert [row["lr"] for row in result.history] == pytest.approx([0.001 * n for n in larger] + [0.0001])
    frames_and_size = [shape[2:4] for shape in task.seen]
    assert frames_and_size == [(1, 23)] * 8 + [(2, 23)] * 8 + [(2, 32)] * 6 + [(4, 32)] * 12
    assert {shape[0] for shape in task.seen[:8]} == {6}
    assert {shape[0] for shape in task.seen[-12:]} == {1}


def test_early_stop(films: tuple[Sample, ...], tmp_path: Path) -> None:
    train = TrainRecipe(epochs=9, lr=1e-12, schedule="constant", early_stop_epochs=2, momentum=0)
    network = model().eval()
    result = run(films, tmp_path, train.model_copy(update={"freeze_backbone": True}), model=network)
    assert result.stopped_early
    assert len(result.history) == result.best_epoch + 2 < 9


def test_a_loss_that_is_no_number_ends_the_run_with_advice(films: tuple[Sample, ...], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"(became|no longer).* in epoch .* try train\.lr=1e\+07") as caught:
        run(films, tmp_path, TRAIN.model_copy(update={"lr": 1e8, "clip_norm": 0.0, "epochs": 9}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_video_is_named_once_and_skipped(
    films: tuple[Sample, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video" * 50)
    data = DATA.model_copy(update={"num_workers": workers})
    mended = (Sample(bad, ("dark",), "bad"), *films[1:])
    result = run(mended, tmp_path / "run", data=data, progress=True)
    told = [line for line in capsys.readouterr().err.splitlines() if "bad.mp4" in line]
    assert len(told) == 1
    assert told[0].startswith("skipped")
    assert list(result.broken) == [str(bad)]
    assert (tmp_path / "run" / "broken.txt").read_text().startswith(f"{bad}\t")
    assert len(result.history) == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_class_without_a_whole_video_ends_the_run_in_one_line(
    films: tuple[Sample, ...], tmp_path: Path, workers: int
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video" * 50)
    torn = tuple(Sample(bad, ("dark",), s.group) if s.label == "dark" else s for s in films)
    data = DATA.model_copy(update={"num_workers": workers})
    with pytest.raises(VideoError, match="none of the 3 videos of class 'dark' can be read") as caught:
        run(torn, tmp_path / "run", data=data)
    assert "\n" not in str(caught.value)


def test_one_line_per_epoch_and_nothing_of_lightning(
    films: tuple[Sample, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(films, tmp_path, progress=True)
    printed = capfd.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert len(lines) == 3
    assert re.fullmatch(
        r"epoch 2/3  loss \d\.\d{3}  top1 [\d.]+%  val loss \d\.\d{3}  val top1 [\d.]+%  [\d.]+ s  ETA \d:\d\d:\d\d",
        lines[1],
    )


def test_training_without_validation_keeps_the_last_epoch(films: tuple[Sample, ...], tmp_path: Path) -> None:
    train_set, _ = sets(films)
    result = fit(
        model(),
        RecognitionTask(LABELS),
        train_set,
        None,
        TRAIN,
        DATA,
        out_dir=tmp_path,
        devices=1,
        progress=False,
    )
    assert result.best_epoch == 3
    assert "val_top1" not in result.history[0]


def test_a_folder_with_a_run_in_it_is_not_overwritten(films: tuple[Sample, ...], tmp_path: Path) -> None:
    run(films, tmp_path, TRAIN.model_copy(update={"epochs": 1}))
    with pytest.raises(ValueError, match="already holds a run; resume it"):
        run(films, tmp_path)


def test_what_is_no_checkpoint_of_this_run_is_refused(films: tuple[Sample, ...], tmp_path: Path) -> None:
    (tmp_path / "junk.ckpt").write_bytes(b"junk")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    result = run(films, tmp_path / "run", TRAIN.model_copy(update={"epochs": 1}))
    for path, message in (
        (tmp_path / "absent.ckpt", "can't resume from it"),
        (tmp_path / "junk.ckpt", "not a checkpoint"),
        (tmp_path / "other.ckpt", "not a checkpoint of a training run"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            run(films, tmp_path / "new", resume=path)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="belongs to another model or other classes"):
        run(films, tmp_path / "new", resume=result.last, model=create_model("tiny3d", num_classes=3, width=2))


def test_a_run_that_is_done_is_done(films: tuple[Sample, ...], tmp_path: Path) -> None:
    first = run(films, tmp_path)
    assert figures(run(films, tmp_path, resume=tmp_path)) == figures(first)


@pytest.mark.parametrize(
    ("devices", "nodes", "message"), [("many", 1, "devices is 'many'"), (1, 2, "torchrun")]
)
def test_devices_that_cannot_be(
    films: tuple[Sample, ...], tmp_path: Path, devices: Any, nodes: int, message: str
) -> None:
    task = RecognitionTask(LABELS)
    with pytest.raises(ValueError, match=message):
        fit(model(), task, *sets(films), TRAIN, DATA, out_dir=tmp_path, devices=devices, nodes=nodes)


def test_mixed_precision_runs(films: tuple[Sample, ...], tmp_path: Path) -> None:
    result = run(films, tmp_path, TRAIN.model_copy(update={"precision": "bf16-mixed", "epochs": 1}))
    assert result.history[0]["train_loss"] == pytest.approx(0.7, abs=0.4)
    assert (
        next(iter(torch.load(result.best, weights_only=True)["state_dict"].values())).dtype == torch.float32
    )


@pytest.mark.slow
def test_two_spawned_processes_share_the_work(
    films: tuple[Sample, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video" * 50)
    network = model()
    train_set, val_set = sets((*films[:5], Sample(bad, ("bright",), "bad"), *films[6:9]))
    train = TrainRecipe(epochs=2, lr=0.05, lr_batch=4)
    result = fit(
        network, RecognitionTask(LABELS), train_set, val_set, train, DATA.model_copy(update={"batch_size": 2}),
        out_dir=tmp_path / "run", devices=2,
    )  # fmt: skip
    assert [row["epoch"] for row in result.history] == [1, 2]
    # Two processes of two clips are one of four.
    assert result.history[0]["lr"] == pytest.approx(0.05, rel=0.2)
    # Three validation videos on two processes: each counts once.
    assert all((row["val_top1"] * 3) % 1 == pytest.approx(0, abs=1e-6) for row in result.history)
    assert list(result.broken) == [str(bad)]
    stored = torch.load(result.best, weights_only=True)["state_dict"]
    assert all(torch.equal(stored[f"model.{k}"], v) for k, v in network.state_dict().items())
    told = capfd.readouterr().err.splitlines()
    assert [line.split()[0] for line in told] == ["skipped:", "epoch", "epoch"]
