"""One film of a data set encoded anew, as a job that a process of `crew` can do."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from muybridge.data.crew import proceed
from muybridge.types import VideoError
from muybridge.video.reencode import Encoding, reencode, shrink_images

# Not the film's fault: the next one would fail in the same way.
_NO_USE_TO_GO_ON = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
)


@dataclass(frozen=True, slots=True)
class Job:
    """One film to encode.

    Attributes:
        source: A file, or a folder of numbered frames.
        staged: Where the copy is written.
        place: Its name in the data set.
        encoding: How.
    """

    source: Path
    staged: Path
    place: str
    encoding: Encoding

    def __str__(self) -> str:
        return self.place


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: well, if nothing is said.

    Attributes:
        broken: Why the film can't be read.
        stopped: Number and text of the system's error that no other film would escape.
    """

    broken: str = ""
    stopped: tuple[int, str] | None = None


def attempt(job: Job) -> Outcome:
    """Encode one film; whatever fails leaves nothing."""
    anew = shrink_images if job.source.is_dir() else reencode
    try:
        anew(job.source, job.staged, job.encoding, proceed)
    except (VideoError, OSError, ValueError) as error:
        shutil.rmtree(job.staged, ignore_errors=True)
        cause = error if isinstance(error, OSError) else error.__cause__
        number = getattr(cause, "errno", None)
        if str(job.source) not in str(error) and number in _NO_USE_TO_GO_ON:
            return Outcome(stopped=(number, os.strerror(number)))
        return Outcome(broken=str(error) if str(job.source) in str(error) else f"{job.source}: {error}")
    except BaseException:
        shutil.rmtree(job.staged, ignore_errors=True)
        raise
    return Outcome()
