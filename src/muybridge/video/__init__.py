"""Videos in and out: reading, sampling, transforms, writing."""

from __future__ import annotations

from muybridge.video.reader import Video, VideoMeta

__all__ = ["Video", "VideoMeta"]
