"""Files that only grow, a line at a time, by one process at a time."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from io import FileIO

from twin.common.files import PRIVATE_MODE

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Windows locks places in a file: one where nothing stands.
_FAR = 1 << 62


def private_opener(path: str, flags: int) -> int:
    """Opener for `open`: nobody but its owner may read a file that it makes."""
    return os.open(path, flags | getattr(os, "O_BINARY", 0), PRIVATE_MODE)


def hold(file: FileIO, wait: bool = False) -> None:
    """Keep other processes from holding a file, until it is closed or this process ends.

    Parameters
    ----------
    file : FileIO
        Open for writing.
    wait : bool
        Wait for another process that holds it.

    Raises
    ------
    OSError
        If another process holds it.
    """
    # A lock of the system's on the file itself, which ends with the process however that ends. The
    # package filelock would leave a second file beside each; on the file itself some of its
    # versions empty the file, and on Windows nobody could read it.
    if sys.platform == "win32":
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def append(file: FileIO, data: bytes) -> None:
    """Add to a file opened for appending, all or nothing.

    Raises
    ------
    OSError
        If it cannot be written: it is as long as it was.
    """
    before = os.fstat(file.fileno()).st_size
    try:
        if file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        with suppress(OSError):
            file.truncate(before)
        raise
