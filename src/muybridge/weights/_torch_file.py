"""How PyTorch lays out its files: pickles that point to storages beside them.

    since 1.6   a zip archive, nothing compressed: name/data.pkl, name/data/0, name/data/1, ..., name/byteorder
    before      five pickles one behind the other (magic number, protocol, machine, the objects, the storages' keys),
                then each storage: how many numbers (8 bytes), the numbers

`torch.load` is not asked: see `unpickle`.
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from muybridge.types import WeightsError
from muybridge.weights._stored import Storage, printable, sizes
from muybridge.weights._vocabulary import STORAGES
from muybridge.weights.unpickle import Name, Placeholder, unpickle


def read_zip(path: Path, data: memoryview, allow: Mapping[str, type[Placeholder]]) -> Any:
    """What `torch.save` wrote as a zip archive, with `Stored` in place of tensors.

    Raises:
        WeightsError: It is damaged, no torch file, a TorchScript program, or wants something that weights don't need.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = {record.filename: record for record in archive.infolist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, struct.error):
        raise WeightsError(f"{path}: broken off or damaged ({len(data)} bytes); download it again") from None
    main = next((name for name in records if re.fullmatch(r"[^/]+/data\.pkl", name)), None)
    if main is None:
        names = ", ".join(map(printable, sorted(records)[:3]))
        raise WeightsError(f"{path}: a zip archive of {names}; unpack it and give the weight file inside")
    root = main.removesuffix("data.pkl")
    if f"{root}constants.pkl" in records:
        raise WeightsError(
            f"{path}: a TorchScript archive, which is a program; keep its weights alone: "
            "torch.save(torch.jit.load(path).state_dict(), 'weights.pth')"
        )

    def record(name: str) -> tuple[int, int]:
        """Where a record begins and how long it is."""
        found = records.get(name)
        if found is None or found.compress_type != zipfile.ZIP_STORED or found.flag_bits & 1:
            raise ValueError(f"its record {printable(name)!r} is missing or compressed")
        begin = found.header_offset
        if bytes(data[begin : begin + 4]) != b"PK\x03\x04":
            raise ValueError(f"its record {printable(name)!r} is not where it should be")
        begin += 30 + sum(struct.unpack_from("<HH", data, begin + 26))
        if begin + found.file_size > len(data):
            raise ValueError(f"its record {printable(name)!r} is longer than the file")
        return begin, found.file_size

    def persistent(swapped: bool, pid: Any) -> Storage:
        dtype, key, numel = _storage_of(pid)
        begin, size = record(f"{root}data/{key}")
        if numel * dtype.itemsize > size:
            raise ValueError(f"a storage of {numel} numbers in a record of {size} bytes")
        return Storage(dtype, numel, data[begin : begin + numel * dtype.itemsize], swapped)

    try:
        order = record(f"{root}byteorder") if f"{root}byteorder" in records else (0, 0)
        swapped = bytes(data[order[0] : sum(order)]) == b"big"
        begin, _ = record(main)
    except (ValueError, struct.error) as error:
        raise WeightsError(f"{path}: damaged, or packed again: {error}; download it again") from None
    return unpickle(data, source=str(path), at=begin, allow=allow, persistent=partial(persistent, swapped))[0]


def read_legacy(path: Path, data: memoryview, allow: Mapping[str, type[Placeholder]]) -> Any:
    """What `torch.save` wrote before PyTorch 1.6, with `Stored` in place of tensors.

    Raises:
        WeightsError: It is damaged or wants something that weights don't need.
    """
    storages: dict[Any, Storage] = {}
    views: list[tuple[Storage, Storage, int]] = []

    def persistent(pid: Any) -> Any:
        if isinstance(pid, tuple) and len(pid) == 4 and pid[0] == "module":
            return pid[1]
        dtype, key, numel = _storage_of(pid)
        root = storages.setdefault(key, Storage(dtype, numel))
        if (root.dtype, root.numel) != (dtype, numel):
            raise ValueError("one storage of two kinds")
        if len(pid) < 6 or pid[5] is None:
            return root
        start, size = sizes(pid[5][1:])
        view = Storage(dtype, size)
        if start + size > root.numel:
            raise ValueError(f"a view of {size} numbers in a storage of {root.numel}")
        views.append((view, root, start))
        return view

    read = partial(unpickle, data, source=str(path), allow=allow)
    at = 0
    for _ in range(2):
        _, at = read(at=at)
    machine, at = read(at=at)
    top, at = read(at=at, persistent=persistent)
    keys, at = read(at=at)
    swapped = isinstance(machine, dict) and machine.get("little_endian") is False
    for key in keys if isinstance(keys, list) else ():
        storage = storages.get(key) if isinstance(key, str) else None
        size = storage.numel * storage.dtype.itemsize if storage else 0
        if (
            storage is None
            or at + 8 + size > len(data)
            or struct.unpack_from("<Q", data, at)[0] != storage.numel
        ):
            raise WeightsError(f"{path}: broken off or damaged ({len(data)} bytes); download it again")
        storage.data, storage.swapped = data[at + 8 : at + 8 + size], swapped
        at += 8 + size
    for view, root, start in views:
        size = root.dtype.itemsize
        if root.data is not None:
            view.data, view.swapped = root.data[start * size : (start + view.numel) * size], swapped
    if any(storage.data is None for storage in storages.values()):
        raise WeightsError(f"{path}: damaged: some tensors have no numbers; download it again")
    return top


def _storage_of(pid: Any) -> tuple[Any, str, int]:
    """Type, key and length of a torch storage."""
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], Name):
        raise ValueError("something that lies beside it and is not a storage")
    dtype, key, numel = STORAGES.get(pid[1].path), pid[2], pid[4]
    if dtype is None or not isinstance(key, str) or type(numel) is not int or numel < 0:
        raise ValueError(f"a storage of kind {printable(pid[1].path)}")
    return dtype, key, numel
