"""TensorFlow checkpoints, written here instruction by instruction from the published format."""

from __future__ import annotations

import struct
from contextlib import suppress
from itertools import pairwise

import pytest
import torch

from muybridge.types import WeightsError
from muybridge.weights.tensorflow import Entry, read_checkpoint, read_index

MAGIC = bytes.fromhex("57fb808b247547db")  # the last eight bytes of every such table


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number >= 0x80 else bytes([number])


def message(**fields: int | bytes) -> bytes:
    """A protobuf message; `f1=...` is field 1."""
    body = b""
    for name, value in fields.items():
        field = int(name[1:])
        if isinstance(value, bytes):
            body += varint(field << 3 | 2) + varint(len(value)) + value
        else:
            body += varint(field << 3) + varint(value)
    return body


def crc32c(data: bytes) -> int:
    """Bit by bit: RFC 3720, appendix B.4."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_the_checksum_of_these_tests_is_the_published_one():
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"123456789") == 0xE3069283


def block(entries: list[tuple[bytes, bytes]], interval: int = 4, kind: int = 0) -> bytes:
    body, restarts, before = b"", [], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % interval:
            while shared < min(len(key), len(before)) and key[shared] == before[shared]:
                shared += 1
        else:
            restarts.append(len(body))
        body += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    body += struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", len(restarts))
    crc = crc32c(body + bytes([kind]))
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return body + bytes([kind]) + struct.pack("<I", masked)


def table(entries: list[tuple[bytes, bytes]], per_block: int = 5, **options) -> bytes:
    data, index = b"", []
    for start in range(0, len(entries), per_block):
        part = entries[start : start + per_block]
        made = block(part, **options)
        index.append((part[-1][0], varint(len(data)) + varint(len(made) - 5)))
        data += made
    unused, root = block([]), block(index)
    footer = varint(len(data)) + varint(len(unused) - 5)
    footer += varint(len(data) + len(unused)) + varint(len(root) - 5)
    return data + unused + root + footer.ljust(40, b"\0") + MAGIC


HEADER = (b"", message(f1=1, f3=message(f1=1)))


def entry(dtype: int, shape: tuple[int, ...], offset: int, size: int, shard: int = 0, crc: int = 7) -> bytes:
    dims = b"".join(message(f2=message(f1=dim) if dim else b"") for dim in shape)
    body = message(f1=dtype, f2=dims)
    for field, number in ((3, shard), (4, offset), (5, size)):
        body += message(**{f"f{field}": number}) if number else b""
    return body + varint(6 << 3 | 5) + struct.pack("<I", crc)


def write(folder, tensors: dict[str, torch.Tensor], header=HEADER, **options):
    """A checkpoint with one data file."""
    prefix, data, entries = folder / "model.ckpt", b"", [header]
    dtypes = {torch.float32: 1, torch.float64: 2, torch.int64: 9, torch.bfloat16: 14, torch.float16: 19}
    for name, tensor in sorted(tensors.items()):
        numbers = tensor.contiguous().view(torch.uint8 if tensor.ndim else tensor.dtype).numpy().tobytes()
        entries.append(
            (name.encode(), entry(dtypes[tensor.dtype], tuple(tensor.shape), len(data), len(numbers)))
        )
        data += numbers
    (folder / "model.ckpt.index").write_bytes(table(entries, **options))
    (folder / "model.ckpt.data-00000-of-00001").write_bytes(data)
    return prefix


TENSORS = {
    **{f"RGB/inception_i3d/Conv3d_{i}/conv_3d/w": torch.randn(1, 2, 2, 3, i + 1) for i in range(14)},
    "RGB/inception_i3d/Conv3d_1/batch_norm/beta": torch.randn(300),
    "half": torch.randn(4, 2).half(),
    "brain": torch.randn(3).bfloat16(),
    "double": torch.randn(5).double(),
    "empty": torch.zeros(0, 3),
    "global_step": torch.tensor(12345),
}


@pytest.mark.parametrize("per_block", [1, 5, 100])
def test_a_checkpoint_gives_what_was_written(per_block, tmp_path):
    prefix = write(tmp_path, TENSORS, per_block=per_block)
    found = read_checkpoint(prefix)
    assert list(found) == sorted(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_an_index_byte_by_byte(tmp_path):
    # One float32 variable "w" of shape (2, 3) at byte 8, checksum 0x01020304, in a single data file.
    body = bytes.fromhex(
        "00 00 06  08 01 1a 02 08 01"  # key "": one data file, version 1
        "00 01 15  77  08 01  12 08 12 02 08 02 12 02 08 03  28 18  20 08  35 04 03 02 01"
        "00 00 00 00  01 00 00 00"
    )
    data = _checked(body)
    root = _checked(
        bytes.fromhex("00 01 02  78 00") + varint(len(body)) + bytes.fromhex("00 00 00 00  01 00 00 00")
    )
    footer = varint(0) + varint(0) + varint(len(data)) + varint(len(root) - 5)
    path = tmp_path / "model.ckpt.index"
    path.write_bytes(data + root + footer.ljust(40, b"\0") + MAGIC)
    assert read_index(path) == {
        "w": Entry(torch.float32, (2, 3), shard=0, offset=8, size=24, crc=0x01020304, shards=1)
    }


def _checked(body: bytes) -> bytes:
    crc = crc32c(body + b"\0")
    return body + b"\0" + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def test_what_is_no_number_is_listed_and_not_read(tmp_path):
    (tmp_path / "model.ckpt.index").write_bytes(
        table([HEADER, (b"_CHECKPOINTABLE_OBJECT_GRAPH", entry(7, (), 0, 99)), (b"w", entry(1, (1,), 0, 4))])
    )
    (tmp_path / "model.ckpt.data-00000-of-00001").write_bytes(struct.pack("<f", 2.5))
    assert read_index(tmp_path / "model.ckpt.index")["_CHECKPOINTABLE_OBJECT_GRAPH"].dtype is None
    assert list(read_checkpoint(tmp_path / "model.ckpt")) == ["w"]


def test_several_data_files(tmp_path):
    header = (b"", message(f1=2))
    parts = [(f"v{i}".encode(), entry(1, (2,), 8 * (i // 2), 8, shard=i % 2)) for i in range(4)]
    (tmp_path / "model.ckpt.index").write_bytes(table([header, *parts]))
    for shard in range(2):
        numbers = struct.pack("<4f", *(10 * shard + n for n in range(4)))
        (tmp_path / f"model.ckpt.data-0000{shard}-of-00002").write_bytes(numbers)
    found = read_checkpoint(tmp_path / "model.ckpt")
    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        "v0": [0, 1],
        "v1": [10, 11],
        "v2": [2, 3],
        "v3": [12, 13],
    }


def test_a_missing_data_file_is_named(tmp_path):
    prefix = write(tmp_path, TENSORS)
    (tmp_path / "model.ckpt.data-00000-of-00001").unlink()
    with pytest.raises(
        WeightsError,
        match=r"data-00000-of-00001: no such file; model\.ckpt\.index lists 20 variables, .* put model\.ckpt\.data-",
    ):
        read_checkpoint(prefix)


def test_a_data_file_that_broke_off_is_told(tmp_path):
    prefix = write(tmp_path, TENSORS)
    path = tmp_path / "model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(WeightsError, match=r"data-00000-of-00001: broken off: .* should lie at bytes"):
        read_checkpoint(prefix)


@pytest.mark.parametrize(
    ("entries", "options", "text"),
    [
        ([(b"", message(f1=1, f2=1))], {}, "big-endian"),
        ([(b"", message(f1=0))], {}, "0 data files"),
        ([(b"w", entry(1, (1,), 0, 4))], {}, "no header"),
        ([HEADER, (b"w", entry(1, (1,), 0, 4)), (b"w", entry(1, (1,), 0, 4))], {}, "lists 'w' twice"),
        ([HEADER, (b"w", entry(1, (2,), 0, 4))], {}, "has 4 bytes, its shape"),
        ([HEADER, (b"w", entry(1, (1 << 62,), 0, 4))], {}, "has 4 bytes, its shape"),
        ([HEADER, (b"w", entry(1, ((1 << 64) - 1,), 0, 4))], {}, "has 4 bytes, its shape"),
        ([HEADER, (b"w", entry(1, (1,), 0, 4, shard=3))], {}, "lies in data file 3 of 1"),
        ([HEADER, (b"w", entry(1, (1,), 0, 4) + message(f7=b"x"))], {}, "cut into slices"),
        ([HEADER, (b"w", b"\x0b")], {}, "wire type 3"),
        ([HEADER, (b"w", b"\xff" * 12)], {}, "a number without an end"),
        ([HEADER, (b"w" * 5000, b"")], {}, "an entry longer than its block"),
        ([HEADER], {"kind": 1}, "compressed"),
    ],
)
def test_what_can_not_be_read_is_said(entries, options, text, tmp_path):
    path = tmp_path / "model.ckpt.index"
    path.write_bytes(table(entries, **options))
    with pytest.raises(WeightsError, match=text):
        read_index(path)


@pytest.mark.parametrize("name", ["nowhere.index", "."])
def test_no_file_is_said(name, tmp_path):
    with pytest.raises(WeightsError, match="can't be read"):
        read_index(tmp_path / name)


def test_every_damaged_byte_is_noticed_or_harmless(tmp_path):
    write(tmp_path, {"a": torch.ones(2), "b": torch.zeros(3)})
    path = tmp_path / "model.ckpt.index"
    whole, good = path.read_bytes(), read_index(path)
    end = len(whole)
    for at in range(end):
        path.write_bytes(whole[:at])
        with pytest.raises(WeightsError):
            read_index(path)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        with suppress(WeightsError):
            assert read_index(path) == good  # the unused block and the footer's padding


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("rgb_imagenet", 230),
        ("rgb_scratch", 230),
        ("flow_imagenet", 230),
        ("flow_scratch", 230),
        ("rgb_scratch_kin600", 346),
    ],
)
def test_deepminds_variables_survive_the_way_through_an_index(name, count, shared, tmp_path):
    lines = (shared / "keys" / f"deepmind_i3d_tf_{name}.txt").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    expected = {}
    for variable, dtype, shape, offset, size in rows:
        sizes = tuple(int(part) for part in shape.strip("()").split(",") if part.strip())
        expected[variable] = (int(dtype), sizes, int(offset), int(size))
    entries = [(variable.encode(), entry(*place)) for variable, place in expected.items()]
    path = tmp_path / "model.ckpt.index"
    path.write_bytes(table([HEADER, *entries], per_block=60, interval=16))
    found = read_index(path)
    assert len(found) == count
    assert {key: (1, e.shape, e.offset, e.size) for key, e in found.items()} == expected
    ends = sorted((e.offset, e.offset + e.size) for e in found.values())
    assert all(end == start for (_, end), (start, _) in pairwise(ends))  # no gap, no overlap
