"""The sound of a film: steps, landings and the rustle of a sleeve, made of filtered noise."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from muybridge.data.figures.acting import Beat
from muybridge.data.figures.body import Floats

RATE = 22_050
# Phases of an action at which it is heard, and how: (phase, loudness, pitch in Hz, length in s).
HEARD: dict[str, tuple[tuple[float, float, float, float], ...]] = {
    **dict.fromkeys(("walk", "walk_left", "walk_right"), ((0.3, 0.5, 130, 0.09), (0.8, 0.5, 150, 0.09))),
    "run": ((0.35, 0.8, 110, 0.08), (0.85, 0.8, 125, 0.08)),
    "jump": ((0.38, 0.3, 220, 0.08), (0.75, 1.0, 80, 0.16)),
    "skip": ((0.4, 0.8, 105, 0.1), (0.9, 0.8, 115, 0.1)),
    "side_gallop": ((0.05, 0.7, 115, 0.08), (0.6, 0.3, 140, 0.08)),
    "jump_in_place": ((0.38, 0.3, 220, 0.08), (0.68, 1.0, 80, 0.16)),
    "jumping_jack": ((0.4, 0.7, 100, 0.12), (0.9, 0.7, 100, 0.12)),
    "clap": ((0.5, 0.8, 1300, 0.04),),
    "kick": ((0.8, 0.3, 120, 0.1),),
    "sit_down": ((0.85, 0.6, 95, 0.2),),
    "stand_up": ((0.2, 0.3, 110, 0.15),),
    "get_up": ((0.15, 0.3, 90, 0.2),),
    "put_down": ((0.55, 0.5, 140, 0.1),),
    "open_door": ((0.24, 0.4, 700, 0.06),),
    "close_door": ((0.76, 0.9, 90, 0.15),),
    "fall": ((0.78, 1.0, 60, 0.3), (0.9, 0.5, 85, 0.2)),
    "wave": ((0.25, 0.12, 900, 0.14), (0.75, 0.12, 800, 0.14)),
}


def write_sound(path: Path, beats: Sequence[Beat], seed: int) -> Path:
    """Write what the beats sound like as a mono WAV file."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(0, 0.002, round(beats[-1].end_s * RATE))  # a room is never silent
    for at_s, loudness, pitch, length_s in _heard(beats):
        time = np.arange(round(length_s * 3 * RATE)) / RATE
        begin = round(at_s * RATE)
        thump = _thump(rng, time, pitch, length_s)[: max(0, len(sound) - begin)]
        sound[begin : begin + len(thump)] += 0.5 * loudness * thump
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def _heard(beats: Sequence[Beat]) -> Iterator[tuple[float, float, float, float]]:
    for beat in beats:
        last = int(beat.phase_at(beat.end_s))
        for cycle in range(last + 1):
            for phase, loudness, pitch, length_s in HEARD.get(beat.action, ()):
                at_s = beat.start_s + (cycle + phase - beat.phase) * beat.phase_s
                if beat.start_s <= at_s < beat.end_s:
                    yield at_s, loudness, pitch, length_s


def _thump(rng: np.random.Generator, time: Floats, pitch: float, length_s: float) -> Floats:
    hiss = np.convolve(rng.normal(0, 1, len(time)), np.ones(24) / 24, "same")
    tone = np.sin(2 * np.pi * pitch * time * (1 - 0.4 * time / time[-1]))
    rise = np.minimum(time / 0.004, 1)
    return np.asarray((0.7 * tone + 1.2 * hiss) * rise * np.exp(-4 * time / length_s))
