"""TensorFlow checkpoints, read without TensorFlow.

A checkpoint is a table `model.ckpt.index` and its numbers, `model.ckpt.data-00000-of-00001`. The table says of each
variable which type and shape it has and where in the data it lies:

    block     entries (shared, unshared, value length, rest of key, value), restarts, 1 byte type, 4 bytes crc32c
    ...       block after block, sorted by key; a key begins with as many letters of the last one as `shared` says
    index     one more block: last key of a block -> its offset and size
    footer    offset and size of an unused block and of the index, padded to 40 bytes, 8 bytes magic

The table's format is LevelDB's (https://github.com/google/leveldb/blob/main/doc/table_format.md); its values are the
messages BundleHeaderProto (under the empty key) and BundleEntryProto of TensorFlow's tensor_bundle.proto.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from muybridge.types import WeightsError
from muybridge.weights._stored import Storage, Stored, contiguous, map_file, printable

TABLE_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
"""The last bytes of a table."""
_FOOTER = 48
_TRAILER = 5
# The table of a model with a thousand variables has some 60 kB.
_LARGEST_INDEX = 4 << 20
_LONGEST_NAME = 4096
# DataType of TensorFlow's types.proto.
_DTYPES = {
    1: torch.float32,
    2: torch.float64,
    3: torch.int32,
    4: torch.uint8,
    5: torch.int16,
    6: torch.int8,
    9: torch.int64,
    10: torch.bool,
    14: torch.bfloat16,
    17: torch.uint16,
    19: torch.float16,
    22: torch.uint32,
    23: torch.uint64,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One variable of a checkpoint.

    Attributes:
        dtype: Its type; None if it is not made of numbers, such as TensorFlow's own notes on the graph.
        shape: Its shape, axes in TensorFlow's order: a 3D kernel is (t, h, w, in, out).
        shard: Which data file it lies in.
        offset: Where in that file, in bytes.
        size: How many bytes.
        crc: Its checksum as the file has it.
        shards: How many data files there are.
    """

    dtype: torch.dtype | None
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    shards: int


def read_index(path: Path) -> dict[str, Entry]:
    """The variables that a checkpoint's table lists, in its order.

    Args:
        path: The `.index` file.

    Raises:
        WeightsError: No such file, not such a table, or a damaged one.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= _LARGEST_INDEX else b""
    except OSError as error:
        raise WeightsError(
            f"{path}: can't be read ({error.strerror}); give the .index file of a TensorFlow checkpoint"
        ) from None
    if len(data) < _FOOTER or data[-8:] != TABLE_MAGIC:
        raise WeightsError(
            f"{path}: not the index of a TensorFlow checkpoint, or broken off ({size} bytes); download it again"
        )
    try:
        return _entries(data)
    except (ValueError, IndexError, struct.error) as error:
        reason = str(error) if isinstance(error, ValueError) else "it ends too early"
        raise WeightsError(
            f"{path}: a damaged index of a TensorFlow checkpoint: {reason}; download it again"
        ) from None


def read_checkpoint(prefix: Path) -> dict[str, Tensor]:
    """The variables of a checkpoint; their numbers stay on the disk until they are used.

    The numbers' own checksums are not looked at: that would read all of them, byte by byte. Places and sizes are.

    Args:
        prefix: The checkpoint without `.index`, for example `rgb_imagenet/model.ckpt`.

    Returns:
        Name -> tensor, axes in TensorFlow's order. What is not made of numbers is left out.

    Raises:
        WeightsError: A file is missing or damaged.
    """
    index = prefix.with_name(prefix.name + ".index")
    entries = read_index(index)
    shards: dict[int, memoryview] = {}
    found = {}
    for name, entry in entries.items():
        if entry.dtype is None:
            continue
        if entry.shard not in shards:
            shards[entry.shard] = _shard(prefix, entry, len(entries))
        data = shards[entry.shard]
        if entry.offset + entry.size > len(data):
            raise WeightsError(
                f"{_shard_path(prefix, entry)}: broken off: {printable(name)} should lie at bytes {entry.offset} to "
                f"{entry.offset + entry.size} and the file has {len(data)}; download it again"
            )
        piece = data[entry.offset : entry.offset + entry.size]
        storage = Storage(entry.dtype, math.prod(entry.shape), piece)
        found[name] = Stored(storage, entry.shape, contiguous(entry.shape)).tensor()
    return found


def _shard_path(prefix: Path, entry: Entry) -> Path:
    return prefix.with_name(f"{prefix.name}.data-{entry.shard:05d}-of-{entry.shards:05d}")


def _shard(prefix: Path, entry: Entry, count: int) -> memoryview:
    path = _shard_path(prefix, entry)
    try:
        return map_file(path) if path.stat().st_size else memoryview(b"")
    except FileNotFoundError:
        raise WeightsError(
            f"{path}: no such file; {prefix.name}.index lists {count} variables, whose numbers lie in it: "
            f"put {path.name} beside {prefix.name}.index"
        ) from None
    except OSError as error:
        raise WeightsError(f"{path}: can't be read ({error.strerror})") from None


def _entries(data: bytes) -> dict[str, Entry]:
    footer, at = data[-_FOOTER:], 0
    for _ in range(2):  # a block that nobody uses
        _, at = _varint(footer, at)
    start, at = _varint(footer, at)
    size, at = _varint(footer, at)
    entries: dict[str, Entry] = {}
    shards = 0
    for _, handle in _block(data, start, size):
        start, at = _varint(handle, 0)
        size, _ = _varint(handle, at)
        for key, value in _block(data, start, size):
            if not shards:  # the header is the first of all entries
                shards = _header(key, value)
                continue
            name = key.decode()
            if name in entries:
                raise ValueError(f"it lists {printable(name)!r} twice")
            entries[name] = _entry(name, value, shards)
    return entries


def _block(data: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block."""
    block, kind = data[start : start + size], data[start + size]
    (stored,) = struct.unpack_from("<I", data, start + size + 1)
    if kind:
        raise ValueError("its blocks are compressed, which TensorFlow's own are not")
    if stored != _masked(_crc32c(data[start : start + size + 1])):
        raise ValueError(f"the checksum of the block at byte {start} is wrong")
    (restarts,) = struct.unpack_from("<I", block, size - 4)
    end = size - 4 * (restarts + 1)
    if end < 0:
        raise ValueError("a block without entries")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        unshared, at = _varint(block, at)
        length, at = _varint(block, at)
        if shared > len(key) or shared + unshared > _LONGEST_NAME or at + unshared + length > end:
            raise ValueError("an entry longer than its block")
        key = key[:shared] + block[at : at + unshared]
        yield key, block[at + unshared : at + unshared + length]
        at += unshared + length


def _header(key: bytes, value: bytes) -> int:
    """Number of data files."""
    if key:
        raise ValueError("it has no header")
    fields = {field: number for field, number, _ in _fields(value)}
    if fields.get(2):
        raise ValueError("its numbers are big-endian, which is not read")
    shards = fields.get(1, 0)
    if not 1 <= shards <= 99_999:
        raise ValueError(f"{shards} data files")
    return shards


def _entry(name: str, value: bytes, shards: int) -> Entry:
    kind = shard = offset = size = crc = 0
    shape: list[int] = []
    for field, number, body in _fields(value):
        if field == 1:
            kind = number
        elif field == 2:
            shape += [
                sum(size for part, size, _ in _fields(axis) if part == 1)
                for part, _, axis in _fields(body)
                if part == 2
            ]
        elif field == 3:
            shard = number
        elif field == 4:
            offset = number
        elif field == 5:
            size = number
        elif field == 6:
            crc = number
        elif field == 7:
            raise ValueError(f"{printable(name)!r} is cut into slices, which is not read")
    dtype = _DTYPES.get(kind)
    if dtype is not None and (len(shape) > 32 or math.prod(shape) * dtype.itemsize != size):
        raise ValueError(f"{printable(name)!r} has {size} bytes, its shape {shape[:6]} needs another number")
    if shard >= shards:
        raise ValueError(f"{printable(name)!r} lies in data file {shard} of {shards}")
    return Entry(dtype, tuple(shape), shard, offset, size, crc, shards)


def _fields(message: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Fields of a protobuf message: number, value, or body if it is text or another message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, body = 0, b""
        wire = tag & 7
        if wire == 0:
            number, at = _varint(message, at)
        elif wire == 2:
            length, at = _varint(message, at)
            body = message[at : at + length]
            if len(body) < length:
                raise ValueError("a message that ends too early")
            at += length
        elif wire in (1, 5):
            form = "<I" if wire == 5 else "<Q"
            (number,) = struct.unpack_from(form, message, at)
            at += struct.calcsize(form)
        else:
            raise ValueError(f"a message with wire type {wire}")
        yield tag >> 3, number, body


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number, 7 bits in each byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # Castagnoli's polynomial, bits reversed
        table.append(byte)
    return tuple(table)


_CRC_TABLE = _crc_table()


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _masked(crc: int) -> int:
    """As tables store it, so that a checksum of data that holds checksums stays a good one."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
