"""The few bits of compressed packets that tell what the container doesn't: is a picture shown, can decoding
begin here.

ITU-T H.264 (section 7.3.1, D.1.8), ISO/IEC 14496-2 (6.2.5), VP8 (RFC 6386, 9.1), VP9 bitstream specification
(6.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

READABLE = frozenset({"mpeg4", "vp8", "vp9"})  # codecs whose packets don't each show a picture, and say so
_VOP = b"\x00\x00\x01\xb6"
_UNIT_BYTES = 4096  # enough for any message before the recovery point
_EMPTY_VOP_BYTES = 12  # a "not coded" picture is a bare header; a coded one is never as small


def shows_picture(codec: str, packet: Any) -> bool | None:
    """Whether a packet of a `READABLE` codec gives exactly one picture, or none. None: only decoding tells."""
    if codec == "mpeg4":
        return True if packet.size > _EMPTY_VOP_BYTES and bytes(packet).count(_VOP) == 1 else None
    if codec == "vp8":
        return bool(memoryview(packet)[0] & 0x10)
    if codec == "vp9":
        data = memoryview(packet)
        if data[-1] & 0xE0 == 0xC0:  # several frames in one packet, made so that exactly one is shown
            return True
        bit = 3 if data[0] & 0x30 != 0x30 else 2  # profile 3 has one more bit
        return bool(data[0] >> bit & 1 or data[0] >> (bit - 2) & 1)
    return True


def is_clean_start(codec: str, extradata: bytes, packet: Any) -> bool:
    """Whether decoding from this key frame gives the same pixels as decoding from the file's beginning.

    An H.264 container may call a picture a key frame from which the image only builds up (periodic intra
    refresh). A clean one is IDR, or its recovery point is itself.
    """
    if codec != "h264":
        return True
    for unit in _nal_units(bytes(packet), extradata):
        kind = unit[0] & 0x1F
        if kind == 5:
            return True
        if kind == 6 and (recovery := _recovery_point(unit)) is not None:
            return recovery
        if kind == 1:
            break
    return False


def _recovery_point(unit: bytes) -> bool | None:
    """Whether an SEI unit says that the image is whole after 0 frames; None if it doesn't speak of it."""
    at = 1
    while at + 2 < len(unit):
        values = []
        for _ in range(2):  # type, then size; each a run of 255s and a last byte
            value = 0
            while at < len(unit) - 1 and unit[at] == 255:
                value, at = value + 255, at + 1
            values.append(value + unit[at])
            at += 1
        kind, size = values
        if kind == 6:
            return at < len(unit) and bool(unit[at] & 0x80)  # the number 0 is coded as a single 1 bit
        at += size
    return None


def _nal_units(data: bytes, extradata: bytes) -> Iterator[bytes]:
    """The first bytes of each unit of a packet, in either framing."""
    if extradata[:1] == b"\x01" and len(extradata) > 4:
        width = (extradata[4] & 3) + 1
        at = 0
        while at + width < len(data):
            length = int.from_bytes(data[at : at + width], "big")
            yield data[at + width : at + width + min(length, _UNIT_BYTES)]
            at += width + length
        return
    at = data.find(b"\0\0\1")
    while 0 <= at < len(data) - 3:
        after = data.find(b"\0\0\1", at + 3)
        yield data[at + 3 : min(at + 3 + _UNIT_BYTES, after if after > 0 else len(data))]
        at = after
