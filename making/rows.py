"""What the tables hold: the films, the rows with the networks they train, and the claims they put to the test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

PAIRED = (
    *("sit_down", "stand_up", "pick_up", "put_down", "open_door", "close_door"),
    *("walk_left", "walk_right", "fall", "get_up"),
)
TARGET = (*PAIRED, "jump_in_place", "squat", "wave", "clap")
SOURCE = (
    *("walk", "run", "skip", "side_gallop", "jump", "jumping_jack", "bend", "kick", "wave_both", "box"),
    *("shake_hands", "hug", "push"),
)
TRAIN_VIDEOS, TEST_VIDEOS = 60, 20
"""Of each action."""
FILM = (72, 96)
"""Height and width of the films."""
EPOCHS, BATCH, SIDE = 9, 8, 64
FRAMES, FPS = 12, 5.6
"""2.1 of the films' 2 to 3 seconds."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table: a network, what it sees of a clip, how fast it learns, and what it starts from.

    Or, with `streams`, the answer that two other rows give together.
    """

    table: str
    key: str
    text: str
    model: str
    options: dict[str, Any] = field(default_factory=dict)
    frames: int = FRAMES
    fps: float = FPS
    stride: int = 1
    lr: float = 1e-3
    actions: tuple[str, ...] = TARGET
    start: str = ""
    freeze: bool = False
    modality: str = "rgb"
    keep: bool = False
    streams: tuple[str, ...] = ()


def rows() -> Iterator[Row]:
    """Every run."""
    yield from _fusion()
    yield from _architectures()
    yield from _transfer()
    yield from _slowfast()


NARROW = {"width": 0.25}
SMALL = {"size": SIDE, **NARROW}
SNIPPET = {"frames": 10, "fps": 4.7, "modality": "rgb+flow"}
SNIPPETS = {"frames": 30, "fps": 14.0, "modality": "rgb+flow"}
TRAJECTORIES = "trajectories"
"""The row that is no network."""
FLOW_BOUND_PX = 5.0
"""Where stored flow is truncated. At this size little moves further between two frames, and 8 bits are finer."""


def _fusion() -> Iterator[Row]:
    for key, text, model, sees in (
        ("single", "single frame", "deepvideo_single", {"frames": 1}),
        ("late", "late fusion: two frames, 2 s apart", "deepvideo_late", {"frames": 2, "stride": 11}),
        ("early", "early fusion: ten frames", "deepvideo_early", {"frames": 10, "fps": 4.7}),
        ("slow_fusion", "slow fusion: ten frames", "deepvideo_slow", {"frames": 10, "fps": 4.7}),
    ):
        # No batch norm steadies these: half the rate.
        yield Row(table="fusion", key=key, text=text, model=model, options=SMALL, lr=5e-4, **sees)


def _architectures() -> Iterator[Row]:
    for key, text, model, options, sees in (
        ("mean", "ConvNet, mean over 6 frames", "narrow:mean_inception", {}, {"frames": 6, "fps": 2.8}),
        ("lstm", "(a) ConvNet + LSTM over 6 frames", "narrow:lstm_inception", {}, {"frames": 6, "fps": 2.8}),
        ("c3d", "(b) 3D ConvNet: C3D with batch norm", "c3d_bn", SMALL, {"frames": 16, "fps": 7.5}),
        ("two_stream", "(c) two-stream: one frame, 10 fields", "narrow:two_stream", {}, SNIPPET),
        ("fused", "(d) 3D-fused two-stream: 3 frames, 30 fields", "narrow:fused_two_stream", {}, SNIPPETS),
        ("i3d", "(e) I3D, RGB", "i3d_rgb", NARROW, {"keep": True}),
        ("i3d_flow", "(e) I3D, optical flow", "i3d_flow", NARROW, {"modality": "flow", "keep": True}),
    ):
        yield Row(table="i3d", key=key, text=text, model=model, options=options, **sees)
    both = {"text": "(e) two-stream I3D, RGB + flow", "streams": ("i3d", "i3d_flow")}
    yield Row(table="i3d", key="i3d_both", model="i3d_rgb", **both)
    crossed = {"text": "I3D, optical flow, started from RGB", "start": "i3d", "modality": "flow"}
    yield Row(table="i3d", key="i3d_crossed", model="i3d_flow", options=NARROW, **crossed)
    yield Row(
        table="i3d", key=TRAJECTORIES, text="improved dense trajectories, Fisher vectors, SVM", model=""
    )


def _transfer() -> Iterator[Row]:
    for key, text, change in (
        ("source", "", {"actions": SOURCE, "keep": True}),
        ("last_layer", "last layer only", {"start": "source", "freeze": True, "lr": 1e-2}),
        ("fine_tuned", "all layers", {"start": "source"}),
    ):
        yield Row(table="transfer", key=key, text=text, model="i3d_rgb", options=NARROW, **change)


def _slowfast() -> Iterator[Row]:
    slow = [[1], [1], [3], [3]]
    yield Row(
        table="slowfast",
        key="slow_only",
        text="Slow only, 3 frames",
        model="slow_r50_8x8",
        options={"width": 24, "block_frames": slow},
        frames=3,
        stride=4,
        lr=2e-3,
    )
    both = {"alpha": 4, "width": 24, "slow_block_frames": slow, "fast_block_frames": [[3]] * 4}
    for key, text, change in (
        ("slowfast", "SlowFast: 3 + 12 frames, time-strided convolution, beta 1/8", {}),
        ("time_to_channel", "lateral: time to channel", {"lateral": "time_to_channel"}),
        ("time_strided_sampling", "lateral: time-strided sampling", {"lateral": "time_strided_sampling"}),
        ("beta_4", "beta 1/4", {"beta": 1 / 4}),
        ("beta_12", "beta 1/12", {"beta": 1 / 12}),
        ("grey", "Fast sees grey", {"fast_input": "grey"}),
        ("time_difference", "Fast sees time difference", {"fast_input": "time_difference"}),
        ("half_resolution", "Fast sees half the resolution", {"fast_input": "half_resolution"}),
    ):
        options = both | change
        yield Row(table="slowfast", key=key, text=text, model="slowfast_r50_4x16", options=options, lr=2e-3)


@dataclass(frozen=True)
class Claim:
    """What a paper found: one row above another."""

    table: str
    text: str
    above: str
    below: str
    measure: str = "top1"


CLAIMS = (
    Claim(
        "fusion",
        "slow fusion above single frame (Karpathy et al.: 60.9 against 59.3 on Sports-1M)",
        "slow_fusion",
        "single",
    ),
    Claim("fusion", "slow fusion above early fusion (60.9 against 57.7)", "slow_fusion", "early"),
    Claim("fusion", "slow fusion above late fusion (60.9 against 59.3)", "slow_fusion", "late"),
    Claim("fusion", "a clip tells the pairs apart, a frame doesn't", "slow_fusion", "single", "pairs"),
    Claim(
        "i3d",
        "I3D above ConvNet + LSTM (Carreira and Zisserman: 71.1 against 63.3 on Kinetics)",
        "i3d",
        "lstm",
    ),
    Claim("i3d", "RGB and flow together above RGB alone (74.2 against 71.1)", "i3d_both", "i3d"),
    Claim("i3d", "RGB above flow (71.1 against 63.4)", "i3d", "i3d_flow"),
    Claim("i3d", "for pairs that only motion tells apart, flow above RGB", "i3d_flow", "i3d", "pairs"),
    Claim("i3d", "two-stream I3D above two-stream (74.2 against 65.6)", "i3d_both", "two_stream"),
    Claim("i3d", "3D-fused above two-stream (67.2 against 65.6)", "fused", "two_stream"),
    Claim("i3d", "flow learns better from RGB's start (Wang et al. 2016)", "i3d_crossed", "i3d_flow"),
    Claim(
        "i3d",
        "two-stream I3D above improved trajectories (UCF101: 98.0 against 86.4)",
        "i3d_both",
        "trajectories",
    ),
    Claim("i3d", "I3D above the 3D ConvNet (71.1 against 56.1)", "i3d", "c3d"),
    Claim("i3d", "ConvNet + LSTM above the 3D ConvNet (63.3 against 56.1)", "lstm", "c3d"),
    Claim(
        "i3d",
        "order matters: the LSTM tells the pairs apart, the mean over frames doesn't",
        "lstm",
        "mean",
        "pairs",
    ),
    Claim("transfer", "fine-tuning all layers above training from scratch", "fine_tuned", "i3d"),
    Claim("transfer", "fine-tuning all layers above the last layer alone", "fine_tuned", "last_layer"),
    Claim(
        "slowfast",
        "SlowFast above Slow alone (Feichtenhofer et al.: 75.6 against 72.6)",
        "slowfast",
        "slow_only",
    ),
    Claim("slowfast", "the same for the pairs", "slowfast", "slow_only", "pairs"),
    Claim(
        "slowfast",
        "time-strided convolution above time to channel (75.6 against 75.2)",
        "slowfast",
        "time_to_channel",
    ),
    Claim(
        "slowfast",
        "time-strided convolution above time-strided sampling (75.6 against 75.4)",
        "slowfast",
        "time_strided_sampling",
    ),
    Claim(
        "slowfast",
        "a Fast pathway that sees grey is better than none (75.5 against 72.6)",
        "grey",
        "slow_only",
    ),
    Claim(
        "slowfast",
        "time differences don't help the Fast pathway: RGB above them (75.6 against 74.5)",
        "slowfast",
        "time_difference",
    ),
)
