"""What the names in a weight file's pickle stand for.

Tensors, arrays and plain containers have a maker here, which our own reader applies where Python would import the name
and call it. Nothing else has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from muybridge.weights._stored import Storage, Stored, contiguous, printable, sizes


class Name:
    """A name in a pickle; `make` is what is done where Python would call it, if anything."""

    def __init__(self, path: str, make: Callable[..., Any] | None = None) -> None:
        self.path = path
        self.make = make

    def __repr__(self) -> str:
        return f"<{self.path}>"


class Placeholder:
    """What stands for an object of a project whose code is not there: inert.

    Attributes:
        name: Its class, in full.
        args: What it was made from.
        state: What was to become its attributes.
        items: What was put into it, if it is a kind of list or dict.
    """

    def __init__(self, name: str, args: tuple[Any, ...]) -> None:
        self.name = name
        self.args = args
        self.state: Any = None
        self.items: list[Any] = []

    def __repr__(self) -> str:
        return f"<a {self.name}>"


class Dtype:
    """numpy's description of a type of number, such as `f4`."""

    def __init__(self, code: Any, *_: Any) -> None:
        order, code = "<", text(code)
        if code[:1] in "<>=|":
            order, code = code[0], code[1:]
        if code not in _NUMPY:
            what = "Python objects" if code.startswith("O") else f"type {printable(code)!r}"
            raise ValueError(f"an array of {what}")
        self.torch = _NUMPY[code]
        self.swapped = order == ">"

    def build(self, state: Any) -> None:
        """Take in the state: version, byte order, and parts that plain numbers don't have."""
        order = text(state[1])
        if order not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise ValueError("an array of something else than plain numbers")
        self.swapped = order == ">"


def key(value: Any) -> Any:
    """What may be a key: hashing a nested tuple can take time or stack without end."""
    plain = (str, int, float, type(None), Name, Placeholder)
    nested = value if isinstance(value, tuple) and len(value) < 100 else (value,)
    if all(isinstance(part, plain) for part in nested):
        return value
    raise ValueError("a key that is neither text nor number")


def text(value: Any) -> str:
    """Text, wherever Python 2 left it as bytes."""
    if isinstance(value, memoryview):
        return str(value, "latin1")
    if not isinstance(value, str):
        raise TypeError
    return value


def fill(array: Stored, state: Any) -> None:
    """Take in an array's state: version, shape, type, order of axes, bytes."""
    _, shape, dtype, fortran, data = state
    if not isinstance(dtype, Dtype):
        raise TypeError
    if isinstance(data, str):
        data = memoryview(data.encode("latin1"))
    if not isinstance(data, memoryview):
        raise ValueError("an array of Python objects")
    shape = sizes(shape)
    if math.prod(shape) * dtype.torch.itemsize != len(data):
        raise ValueError(f"an array of {len(data)} bytes with a shape that needs another number")
    array.storage = Storage(dtype.torch, math.prod(shape), data, dtype.swapped)
    array.shape = shape
    array.stride = contiguous(shape[::-1])[::-1] if fortran else contiguous(shape)


def _array(data: Any, dtype: Any, shape: Any = (), order: Any = "C") -> Stored:
    array = Stored(Storage(torch.uint8, 0), (0,), (1,))
    fill(array, (1, shape, dtype, order == "F", data))
    return array


def _blank(kind: Any, *_: Any) -> Stored:
    if not isinstance(kind, Name) or kind.path != "numpy.ndarray":
        raise ValueError("an array of a kind that is not numpy's own")
    return Stored(Storage(torch.uint8, 0), (0,), (1,))


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> Stored:
    if not isinstance(storage, Storage):
        raise TypeError
    return Stored(storage, sizes(shape), sizes(stride), offset)


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _with_attributes(name: Any, _: Any, args: Any, *__: Any) -> Any:
    if not isinstance(name, Name) or name.make is not _tensor:
        raise ValueError("a tensor of a kind that is not torch's own")
    return _tensor(*args)


def _bytes(value: Any = "", *_: Any) -> memoryview:
    return value if isinstance(value, memoryview) else memoryview(text(value).encode("latin1"))


def _mapping(items: Any = (), *_: Any) -> dict[Any, Any]:
    pairs = items.items() if isinstance(items, dict) else items
    return {key(name): value for name, value in pairs}


def _set(items: Any = ()) -> set[Any]:
    return set(map(key, items))


_NUMPY = {
    **{f"f{size}": getattr(torch, f"float{8 * size}") for size in (2, 4, 8)},
    **{f"i{size}": getattr(torch, f"int{8 * size}") for size in (1, 2, 4, 8)},
    **{f"u{size}": getattr(torch, f"uint{8 * size}") for size in (1, 2, 4, 8)},
    "b1": torch.bool,
}

STORAGES = {
    f"torch.{device}{name}Storage": dtype
    for device in ("", "cuda.")
    for name, dtype in {
        "Float": torch.float32,
        "Half": torch.float16,
        "BFloat16": torch.bfloat16,
        "Double": torch.float64,
        "Long": torch.int64,
        "Int": torch.int32,
        "Short": torch.int16,
        "Char": torch.int8,
        "Byte": torch.uint8,
        "Bool": torch.bool,
    }.items()
}

KNOWN: dict[str, Callable[..., Any] | None] = {
    "collections.OrderedDict": _mapping,
    "collections.Counter": _mapping,
    "collections.defaultdict": lambda *_: {},
    "builtins.set": _set,
    "builtins.frozenset": lambda items=(): frozenset(map(key, items)),
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "_codecs.encode": _bytes,
    "builtins.getattr": None,  # of an allowed class only; see unpickle
    **dict.fromkeys((f"builtins.{name}" for name in ("dict", "float", "int", "list", "str", "tuple")), None),
    "numpy.ndarray": None,
    "numpy.dtype": Dtype,
    "numpy.core.multiarray._reconstruct": _blank,
    "numpy.core.multiarray.scalar": lambda dtype, data: _array(data, dtype),
    "numpy.core.numeric._frombuffer": _array,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _with_attributes,
    "torch.Tensor": None,
    "torch.nn.parameter.Parameter": None,
    "torch.Size": sizes,
    "torch.device": lambda *args: args,
    **dict.fromkeys(map(str, STORAGES.values()), None),  # torch.float32 and so on
    **dict.fromkeys(STORAGES, None),
}
"""Name -> maker; None: it may be mentioned, not called."""
