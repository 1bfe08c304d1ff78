"""Several recordings joined into one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from twin.assistant.errors import RecordingError
from twin.assistant.recorded.recording import Reply, read_lines


@dataclass(frozen=True)
class Merged:
    """Result of `merge`: replies written, and keys for which the files hold different answers."""

    replies: int
    conflicts: tuple[str, ...]


def merge(paths: Iterable[str | Path], out: str | Path) -> Merged:
    """Join recordings by key into a new file; of different answers to one key the first stays.

    Parameters
    ----------
    paths : iterable of path
        In order of preference.
    out : path
        Must not exist.

    Raises
    ------
    RecordingError
        If a file cannot be read or written, or `out` exists.
    """
    merged: dict[str, Reply] = {}
    conflicts: dict[str, None] = {}
    for path in map(Path, paths):
        for key, reply in read_lines(path)[0].items():
            if merged.setdefault(key, reply).answer != reply.answer:
                conflicts[key] = None
    try:
        with Path(out).open("xb") as file:
            file.writelines(reply.to_line() for reply in merged.values())
    except FileExistsError:
        raise RecordingError(f"{out}: is there already; name a new file") from None
    except OSError as error:
        raise RecordingError(f"{out}: {error.strerror or 'cannot be written'}") from None
    return Merged(len(merged), tuple(conflicts))
