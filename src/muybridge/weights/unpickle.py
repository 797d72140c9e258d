"""A reader of pickles that has nothing to call.

A pickle is a program for a small stack machine, and it may ask for any function to be imported and called; Python's own
reader obeys. This machine, written from the list of instructions in CPython's `pickletools`, never imports, looks up or
calls what a file names. A name stays a name; for the few that weight files need, `_vocabulary` says what they stand
for, and every other one is refused, in full. A caller who knows that a file holds harmless objects of some project may
allow their names: they become `Placeholder`s, which remember how they were made and do nothing.

Nothing a file claims is believed. Lengths, shapes and sizes are held against the bytes that are there before anything
is made of them; arrays stay in the file (see `_stored`).

torch's `weights_only=True` would read most of these files too. It knows neither numpy's arrays nor placeholders, copies
what it can't map, and can be kept busy for ever by a few bytes (a tuple of tuples as the key of a dict).
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from muybridge.types import WeightsError
from muybridge.weights._stored import Stored, printable
from muybridge.weights._vocabulary import KNOWN, Dtype, Name, Placeholder, fill, key, text

__all__ = ["Name", "Placeholder", "Stored", "module_tensors", "unpickle"]

_MOST_STEPS = 2_000_000
"""Instructions; a model with its optimizer takes some 100 000."""
_MOST_DIGITS = 64
"""Bytes of a whole number."""
_MOST_TEXT = 1 << 16
"""Python 2 strings longer than this are taken for arrays' bytes and stay in the file."""
_MOST_NAME = 1000
"""Letters of a name."""
_RENAMED = (("__builtin__.", "builtins."), ("numpy._core.", "numpy.core."))
_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"\\": b"\\", b"'": b"'", b'"': b'"'}


def unpickle(
    data: memoryview,
    *,
    source: str,
    at: int = 0,
    allow: Mapping[str, type[Placeholder]] | None = None,
    persistent: Callable[[Any], Any] | None = None,
) -> tuple[Any, int]:
    """Read one pickle.

    Args:
        data: A mapped file, or a part of one.
        source: The file's name, for messages.
        at: Where the pickle begins.
        allow: Shell patterns of further names, such as `models.yolo.*`, and what stands for their objects.
        persistent: What a persistent id stands for: torch keeps its storages outside of the pickle.

    Returns:
        Plain Python values with `Stored` in place of tensors and arrays and `memoryview` in place of bytes, and where
        the pickle ended.

    Raises:
        WeightsError: It wants something that weights don't need, or it is damaged.
    """
    machine = _Machine(data, source, at, allow or {}, persistent)
    try:
        return machine.run(), machine.at
    except (
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        AttributeError,
        OverflowError,
        struct.error,
    ) as error:
        reason = str(error) if isinstance(error, ValueError) else "its instructions make no sense"
        raise WeightsError(
            f"{source}: a damaged or dishonest file: {reason[:200]} (byte {machine.at}); download it again"
        ) from None


def module_tensors(module: Placeholder) -> dict[str, Stored]:
    """Parameters and buffers of a pickled `torch.nn.Module`, under the names of its state dict.

    Raises:
        ValueError: It isn't one, or it is nested beyond reason.
    """
    found: dict[str, Stored] = {}
    queue: list[tuple[str, Any]] = [("", module)]
    for _ in range(100_000):
        if not queue:
            return found
        prefix, this = queue.pop()
        state = getattr(this, "state", None)
        if not isinstance(this, Placeholder) or not isinstance(state, dict):
            raise ValueError(f"{printable(prefix) or 'the model'} is not a pickled torch.nn.Module")
        parts = [state.get(part) or {} for part in ("_parameters", "_buffers", "_modules")]
        if len(prefix) > 500 or not all(isinstance(part, dict) for part in parts):
            break
        transient = state.get("_non_persistent_buffers_set") or ()
        for name, value in (parts[0] | parts[1]).items():
            if isinstance(value, Stored) and name not in transient:
                found[f"{prefix}{name}"] = value
        queue += reversed([(f"{prefix}{name}.", child) for name, child in parts[2].items() if child])
    raise ValueError("its modules are nested beyond reason")


class _Machine:
    def __init__(
        self,
        data: memoryview,
        source: str,
        at: int,
        allow: Mapping[str, type[Placeholder]],
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        self.data, self.source, self.at = data, source, at
        self.allow, self.persistent = allow, persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.left = (
            4 * len(data) + 1_000_000
        )  # what may be copied in all, so that a few bytes can't fill the memory

    def run(self) -> Any:
        for _ in range(_MOST_STEPS):
            code = bytes(self.take(1))
            if code == b".":
                return self.stack.pop()
            step = _STEPS.get(code)
            if step is None:
                raise ValueError(f"no instruction {code!r}")
            step(self)
        raise ValueError(f"more than {_MOST_STEPS} instructions")

    def take(self, count: int) -> memoryview:
        left = len(self.data) - self.at
        if not 0 <= count <= left:
            raise ValueError(f"{count} bytes where {left} are left")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def whole(self, count: int) -> int:
        if count > _MOST_DIGITS:
            raise ValueError(f"a number of {count} bytes")
        return int.from_bytes(self.take(count), "little", signed=True)

    def line(self) -> bytes:
        size = 256
        while True:
            chunk = bytes(self.data[self.at : self.at + size])
            if (end := chunk.find(b"\n")) >= 0:
                self.at += end + 1
                return chunk[:end]
            if len(chunk) < size:
                raise ValueError("a line without an end")
            size *= 4

    def digits(self) -> int | bool:
        line = self.line()
        if len(line) > 2 * _MOST_DIGITS:
            raise ValueError(f"a number of {len(line)} digits")
        return line == b"01" if line in (b"00", b"01") else int(line.rstrip(b"L"))

    def string(self, count: int) -> str | memoryview:
        """Python 2's `str`: text, or an array's bytes."""
        piece = self.take(count)
        return piece if count > _MOST_TEXT else str(piece, "latin1")

    def quoted(self) -> str:
        line = self.line()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise ValueError("a string without quotes")
        return re.sub(rb"(?s)\\(x[0-9a-fA-F]{2}|.)", _unescaped, line[1:-1]).decode("latin1")

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def remember(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def tie(self, count: int) -> None:
        items = self.stack[len(self.stack) - count :]
        if len(items) < count:
            raise IndexError
        self.stack[len(self.stack) - count :] = [tuple(items)]

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Placeholder):
            target.items.extend(items)
        elif isinstance(target, set):
            target.update(map(key, items))
        elif isinstance(target, list):
            target.extend(items)
        else:
            raise TypeError

    def assign(self, items: list[Any]) -> None:
        target = self.stack[-1]
        pairs = list(zip(items[::2], items[1::2], strict=True))
        if isinstance(target, Placeholder):
            target.items.extend(pairs)
        elif isinstance(target, dict):
            target.update((key(name), value) for name, value in pairs)
        else:
            raise TypeError

    def mention(self, module: str, name: str) -> None:
        if len(module) + len(name) > _MOST_NAME:
            raise ValueError(f"a name of {len(module) + len(name)} letters")
        path = f"{module}.{name}"
        for old, new in _RENAMED:
            path = new + path.removeprefix(old) if path.startswith(old) else path
        if path in KNOWN:
            self.stack.append(Name(path, KNOWN[path]))
        elif allowed := self.allowed(path):
            self.stack.append(allowed)
        else:
            raise self.refusal(path)

    def allowed(self, path: str) -> Name | None:
        for pattern, kind in self.allow.items():
            if fnmatchcase(path, pattern):
                return Name(path, partial(_stand_in, kind, path))
        return None

    def refusal(self, path: str) -> WeightsError:
        wants = (
            f"{self.source}: refused: it wants {printable(path, 120)}, and weights need nothing but tensors"
        )
        if path.partition(".")[0] in sys.stdlib_module_names:  # no class of a model, but a function to call
            return WeightsError(f"{wants}; opening it elsewhere would run that, so better delete it")
        return WeightsError(
            f"{wants}; if you trust the file, open it where that is installed and keep the weights alone: "
            "torch.save(model.state_dict(), 'weights.pth')"
        )

    def call(self, name: Any, args: Any) -> None:
        if not isinstance(name, Name) or not isinstance(args, tuple):
            raise TypeError
        if name.make is None:
            # Python 3 pickles a method as getattr(class, name); of an allowed class that is one more allowed name.
            owner = self.allowed(args[0].path) if len(args) == 2 and isinstance(args[0], Name) else None
            if name.path != "builtins.getattr" or owner is None or not isinstance(args[1], str):
                raise self.refusal(name.path)
            self.mention(owner.path, args[1])
            return
        self.spend(args)
        made = name.make(*args)
        if isinstance(made, Stored):
            made.check(len(self.data))
        self.stack.append(made)

    def spend(self, parts: tuple[Any, ...]) -> None:
        self.left -= sum(len(part) for part in parts if hasattr(part, "__len__"))
        if self.left < 0:
            raise ValueError("it makes more than it holds")

    def create(self, parts: list[Any]) -> None:
        self.call(parts[0], tuple(parts[1:]))

    def instance(self) -> None:
        self.mention(*(self.line().decode() for _ in range(2)))
        self.call(self.stack.pop(), tuple(self.since_mark()))

    def build(self, state: Any) -> None:
        target = self.stack[-1]
        if isinstance(target, Placeholder):
            target.state = state
        elif isinstance(target, Dtype):
            target.build(state)
        elif isinstance(target, Stored):
            self.spend(state)
            fill(target, state)
        elif not isinstance(target, dict):  # an OrderedDict's attributes, such as a state dict's _metadata
            raise TypeError

    def point(self, pid: Any) -> Any:
        if self.persistent is None:
            raise ValueError("it points to storages beside it: a data.pkl taken out of its .pth file")
        return self.persistent(pid)


def _stand_in(kind: type[Placeholder], path: str, *args: Any) -> Placeholder:
    return kind(path, args)


def _unescaped(match: re.Match[bytes]) -> bytes:
    what = match[1]
    return bytes.fromhex(what[1:].decode()) if len(what) == 3 else _ESCAPES[what]


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return {key(name): value for name, value in zip(items[::2], items[1::2], strict=True)}


def _called(machine: _Machine) -> None:
    args, name = machine.stack.pop(), machine.stack.pop()
    machine.call(name, args)


def _called_with_keywords(machine: _Machine) -> None:
    keywords, args, name = (machine.stack.pop() for _ in range(3))
    if keywords:
        raise ValueError("an object made with keywords")
    machine.call(name, args)


def _mentioned(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.mention(text(module), text(name))


def _push(value: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        made = value(machine)  # first, as it may take from the stack
        machine.stack.append(made)

    return step


_STEPS: dict[bytes, Callable[[_Machine], object]] = {
    b"\x80": lambda m: m.take(1),
    b"\x95": lambda m: m.take(8),
    # values
    b"N": _push(lambda m: None),
    b"\x88": _push(lambda m: True),
    b"\x89": _push(lambda m: False),
    b"I": _push(lambda m: m.digits()),
    b"L": _push(lambda m: m.digits()),
    b"K": _push(lambda m: m.number("<B")),
    b"M": _push(lambda m: m.number("<H")),
    b"J": _push(lambda m: m.number("<i")),
    b"\x8a": _push(lambda m: m.whole(m.number("<B"))),
    b"\x8b": _push(lambda m: m.whole(m.number("<I"))),
    b"F": _push(lambda m: float(m.line()[:_MOST_DIGITS])),
    b"G": _push(lambda m: m.number(">d")),
    b"S": _push(lambda m: m.quoted()),
    b"U": _push(lambda m: m.string(m.number("<B"))),
    b"T": _push(lambda m: m.string(m.number("<i"))),
    b"V": _push(lambda m: str(m.line(), "raw-unicode-escape")),
    b"\x8c": _push(lambda m: str(m.take(m.number("<B")), "utf-8", "surrogatepass")),
    b"X": _push(lambda m: str(m.take(m.number("<I")), "utf-8", "surrogatepass")),
    b"\x8d": _push(lambda m: str(m.take(m.number("<Q")), "utf-8", "surrogatepass")),
    b"C": _push(lambda m: m.take(m.number("<B"))),
    b"B": _push(lambda m: m.take(m.number("<I"))),
    b"\x8e": _push(lambda m: m.take(m.number("<Q"))),
    b"\x96": _push(lambda m: m.take(m.number("<Q"))),
    # containers
    b"(": lambda m: m.marks.append(len(m.stack)),
    b")": _push(lambda m: ()),
    b"]": _push(lambda m: []),
    b"}": _push(lambda m: {}),
    b"\x8f": _push(lambda m: set()),
    b"t": _push(lambda m: tuple(m.since_mark())),
    b"l": _push(lambda m: m.since_mark()),
    b"d": _push(lambda m: _pairs(m.since_mark())),
    b"\x91": _push(lambda m: frozenset(map(key, m.since_mark()))),
    b"\x85": lambda m: m.tie(1),
    b"\x86": lambda m: m.tie(2),
    b"\x87": lambda m: m.tie(3),
    b"a": lambda m: m.extend([m.stack.pop()]),
    b"e": lambda m: m.extend(m.since_mark()),
    b"\x90": lambda m: m.extend(m.since_mark()),
    b"s": lambda m: m.assign([m.stack.pop(-2), m.stack.pop()]),
    b"u": lambda m: m.assign(m.since_mark()),
    # stack and memo
    b"0": lambda m: m.stack.pop(),
    b"1": lambda m: m.since_mark(),
    b"2": _push(lambda m: m.stack[-1]),
    b"p": lambda m: m.remember(m.digits()),
    b"q": lambda m: m.remember(m.number("<B")),
    b"r": lambda m: m.remember(m.number("<I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"g": _push(lambda m: m.memo[m.digits()]),
    b"h": _push(lambda m: m.memo[m.number("<B")]),
    b"j": _push(lambda m: m.memo[m.number("<I")]),
    # names and what Python would call
    b"c": lambda m: m.mention(m.line().decode(), m.line().decode()),
    b"\x93": _mentioned,
    b"R": _called,
    b"\x81": _called,
    b"\x92": _called_with_keywords,
    b"o": lambda m: m.create(m.since_mark()),
    b"i": lambda m: m.instance(),
    b"b": lambda m: m.build(m.stack.pop()),
    b"Q": _push(lambda m: m.point(m.stack.pop())),
}
