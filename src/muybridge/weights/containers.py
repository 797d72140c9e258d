"""Any published weight file opened, whatever it is packed in, without executing anything.

    torch zip         PyTorch since 1.6: a pickle and one record per storage, mapped
    torch legacy      PyTorch before: pickles, then the storages one behind the other
    pickle            Python 2 or 3, arrays inside; Caffe2's `{"blobs": ...}` in PySlowFast's own names
    safetensors       mapped
    tensorflow        model.ckpt.index and the data file beside it

What a file is, is told from its first bytes: DavideA's c3d.pickle is a torch file, many a .pth is an error page. The
state dict may lie at the top or in one of the usual wrappers; what else is there (optimizer, scheduler) is never
loaded. Pickles go through `unpickle`, which has nothing to call.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from muybridge.types import WeightsError
from muybridge.weights._stored import Stored, map_file, printable
from muybridge.weights._torch_file import read_legacy, read_zip
from muybridge.weights.caffe2 import to_pyslowfast
from muybridge.weights.tensorflow import TABLE_MAGIC, read_checkpoint
from muybridge.weights.unpickle import Placeholder, unpickle

WANTED = "a .pth, .pt, .pyth, .pkl, .safetensors or .ckpt.index file"

_WRAPPERS = (
    "model_state",
    "state_dict",
    "model_state_dict",
    "model",
    "network",
    "net",
    "ema",
    "params",
    "module",
    "weights",
)
_PREFIXES = ("module.", "model.", "_orig_mod.")
_MOST_DICTS = 200
_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # 0x1950a86a20f9469cfc6c, pickled
# What training programs leave beside the weights. They become placeholders, which do nothing.
_BESIDE_WEIGHTS: dict[str, type[Placeholder]] = dict.fromkeys(
    (
        "argparse.Namespace",
        "datetime.*",
        "mmcv.*",
        "mmengine.*",
        "addict.*",
        "omegaconf.*",
        "yacs.config.CfgNode",
        "fvcore.common.config.CfgNode",
        "pathlib.*",
        "pytorch_lightning.*",
        "lightning.*",
        "lightning_fabric.*",
        "torch.torch_version.TorchVersion",
        "typing.Any",
        "enum.*",
    ),
    Placeholder,
)
_ALIEN = (
    (
        b"version https://git-lfs",
        0,
        "a Git LFS pointer, not the weights; run `git lfs pull` where it comes from",
    ),
    (b"\x89HDF", 0, "a Keras (HDF5) file, which is not read"),
    (b"\x1f\x8b", 0, "a gzip archive; unpack it with `gunzip` or `tar xf` and give the file inside"),
    (b"7z\xbc\xaf", 0, "a 7z archive; unpack it and give the file inside"),
    (b"ustar", 257, "a tar archive; unpack it with `tar xf` and give the file inside"),
    (b"ftyp", 4, "a video, not weights"),
    (b"AVI ", 8, "a video, not weights"),
    (b"\x1a\x45\xdf\xa3", 0, "a video, not weights"),
)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A weight file's tensors, and what else it says.

    Attributes:
        state: Key -> tensor, in the file's own type of number; over the mapped file wherever that is possible.
        kind: `torch zip`, `torch legacy`, `pickle`, `caffe2`, `safetensors` or `tensorflow`.
        facts: What may help to tell what it is: `cfg`, `arch`, `epoch` and such as the file has them; `inside` is the
            wrapper that held the state dict, `stripped` the prefix that all keys had, `left out` what only training
            needs.
    """

    state: dict[str, Tensor]
    kind: str
    facts: Mapping[str, str]


def open_file(path: str | Path) -> Opened:
    """Open a published weight file of any kind.

    Args:
        path: The file. Of a TensorFlow checkpoint: its index, its data, their common name without ending, or the
            folder in which they lie.

    Raises:
        WeightsError: It can't be read, isn't a weight file, is damaged, or wants code to be executed.
    """
    path = Path(path)
    try:
        if prefix := _tensorflow_prefix(path):
            return Opened(state=read_checkpoint(prefix), kind="tensorflow", facts={})
        kind = _kind(path)
        if kind == "safetensors":
            return _open_safetensors(path)
        return _open_pickled(path, kind)
    except OSError as error:
        raise WeightsError(f"{path}: can't be read ({error.strerror or error}); wanted: {WANTED}") from None


def read_pickled(path: Path, kind: str, *, allow: Mapping[str, type[Placeholder]] = _BESIDE_WEIGHTS) -> Any:
    """What a torch file or a pickle holds, with `Stored` in place of tensors.

    Args:
        path: The file.
        kind: `torch zip`, `torch legacy` or `pickle`.
        allow: Shell patterns of classes that may be named, and what stands for their objects.

    Raises:
        WeightsError: It is damaged or wants code to be executed.
    """
    data = map_file(path)
    if kind == "torch zip":
        return read_zip(path, data, allow)
    if kind == "torch legacy":
        return read_legacy(path, data, allow)
    return unpickle(data, source=str(path), allow=allow)[0]


# Which kind it is


def _tensorflow_prefix(path: Path) -> Path | None:
    """`model.ckpt` for any of the files of a TensorFlow checkpoint, or for the folder that holds one."""
    if match := re.fullmatch(r"(.+)\.(index|meta|data-\d{5}-of-\d{5})", path.name):
        return path.with_name(match[1])
    if path.is_dir():
        indices = sorted(path.glob("*.index"))
        if len(indices) == 1:
            return indices[0].with_suffix("")
        names = sorted(
            p.name
            for p in path.iterdir()
            if p.suffix in (".pth", ".pt", ".pyth", ".pkl", ".safetensors", ".index")
        )
        inside = f"give one of its files: {', '.join(names[:4])}" if names else f"wanted: {WANTED}"
        raise WeightsError(f"{path}: a folder; {inside}")
    if not path.exists() and path.with_name(path.name + ".index").exists():
        return path
    return None


def _kind(path: Path) -> str:
    if not path.exists():
        raise WeightsError(f"{path}: no such file; wanted: {WANTED}")
    if not path.is_file():
        raise WeightsError(f"{path}: not a file; wanted: {WANTED}")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        raise WeightsError(f"{path}: empty (0 bytes); download it again")
    for magic, at, what in _ALIEN:
        if head[at : at + len(magic)] == magic:
            raise WeightsError(f"{path}: {what}; wanted: {WANTED}")
    if head.startswith(b"PK\x03\x04"):
        return "torch zip"
    if head[:1] == b"\x80" and head[2 : 2 + len(_TORCH_MAGIC)] == _TORCH_MAGIC:
        return "torch legacy"
    if head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] < 1 << 32:
        return "safetensors"
    if (head[:1] == b"\x80" and head[1:2] <= b"\x05") or (
        path.suffix in (".pkl", ".pickle") and head[:1] in b"(}]"
    ):
        return "pickle"
    with path.open("rb") as file:
        file.seek(max(0, size - 8))
        tail = file.read()
    what = "a TensorFlow checkpoint of the old kind, one file" if tail == TABLE_MAGIC else _what_else(head)
    raise WeightsError(f"{path}: {what} ({size} bytes); wanted: {WANTED}")


def _what_else(head: bytes) -> str:
    try:
        text = head[:600].decode()
    except UnicodeDecodeError as error:
        text = head[: error.start].decode() if error.start > 590 else "\0"
    if not all(letter.isprintable() or letter in "\r\n\t" for letter in text):
        return "not a kind of weight file that is known"
    start = " ".join(text.split())[:60]
    if start.startswith("<"):
        return f"a web page, not weights: the download was answered by an error or consent page, {start!r}"
    return f"a text file, not weights: it begins with {start!r}"


# Files of PyTorch, and bare pickles


def _open_pickled(path: Path, kind: str) -> Opened:
    top = read_pickled(path, kind)
    facts = _facts(top)
    blobs = top.get("blobs") if isinstance(top, dict) else None
    if isinstance(blobs, dict):
        kind = "caffe2"
        try:
            top, left_out = to_pyslowfast(
                {name: blob for name, blob in blobs.items() if isinstance(name, str)}
            )
        except ValueError as error:
            raise WeightsError(f"{path}: it holds {error}; download it again") from None
        if left_out:
            facts["left out"] = ", ".join(left_out)
    inside, stored = _state_dict(top, set())
    if not stored:
        names = ", ".join(map(printable, list(top)[:6])) if isinstance(top, dict) else ""
        raise WeightsError(
            f"{path}: no tensors inside{names and f', only {names}'}; wanted: a file with a model's state dict"
        )
    if inside:
        facts["inside"] = printable(".".join(inside))
    return _opened({key: value.tensor() for key, value in stored.items()}, kind, facts)


# What is inside


def _state_dict(value: Any, seen: set[int]) -> tuple[tuple[str, ...], dict[str, Stored]]:
    """The state dict and the keys that lead to it: in a usual wrapper, else where most tensors are."""
    # Once each: dicts may hold the same dict a thousand times, level below level.
    if not isinstance(value, dict) or id(value) in seen or len(seen) > _MOST_DICTS:
        return (), {}
    seen.add(id(value))
    for wrapper in _WRAPPERS:
        inside, found = _state_dict(value.get(wrapper), seen)
        if found:
            return (wrapper, *inside), found
    best: tuple[tuple[str, ...], dict[str, Stored]] = (
        (),
        {key: part for key, part in value.items() if isinstance(key, str) and isinstance(part, Stored)},
    )
    for key, part in value.items():
        if isinstance(key, str) and "optim" not in key:
            inside, found = _state_dict(part, seen)
            if len(found) > len(best[1]):
                best = (key, *inside), found
    return best


def _facts(top: Any) -> dict[str, str]:
    """Short values at the top of a file or in its `meta`; a configuration as a whole."""
    facts: dict[str, str] = {}
    levels = [("", top)]
    if isinstance(top, dict):
        levels.append(("meta.", top.get("meta")))
    for prefix, level in levels:
        for key, value in level.items() if isinstance(level, dict) else ():
            if isinstance(key, str) and key.isprintable() and isinstance(value, (str, int, float)):
                text = str(value)
                if key in ("cfg", "config") or (len(text) <= 200 and text.isprintable()):
                    facts[f"{prefix}{key}"] = text
    return facts


def _opened(state: dict[str, Tensor], kind: str, facts: dict[str, str]) -> Opened:
    """Take off prefixes that every key has: wrappers of training programs."""
    stripped = ""
    while prefix := next((p for p in _PREFIXES if all(key.startswith(p) for key in state)), ""):
        stripped += prefix
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    if stripped:
        facts["stripped"] = stripped
    return Opened(state=state, kind=kind, facts=facts)


def _open_safetensors(path: Path) -> Opened:
    try:
        with safe_open(path, framework="pt") as file:
            facts = {key: value for key, value in (file.metadata() or {}).items() if key.isprintable()}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: a damaged safetensors file ({printable(error, 200)}); download it again"
        ) from None
    if not state:
        raise WeightsError(f"{path}: no tensors inside; wanted: a file with a model's state dict")
    return _opened(state, "safetensors", facts)
