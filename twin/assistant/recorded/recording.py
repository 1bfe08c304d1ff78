"""Recordings: files of replies, one JSON object a line, which only grow.

A reply is filed under the hash of what was asked: of all that can change an answer (model,
messages, parameters, schema, seed, sample number, prompt version) and of nothing else: no timeout,
address or key. Each line is written at once, so that whatever ends a process, no answer that came
is lost.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from twin.assistant.answer_text import clean
from twin.assistant.errors import RecordingError
from twin.common.files import checksum
from twin.common.growing import append, hold, private_opener

# Beyond what any call has: eleven days, and what a column of the table calls can hold.
MOST_S, _MOST_TOKENS = 1e6, (1 << 31) - 1
# Seconds between two times that the disk, too, is made to have everything.
_SYNC_S = 1.0


def request_key(request: Mapping[str, Any], sample: int, prompt_version: str) -> str:
    """SHA-256 of a request, as 64 hexadecimal digits.

    Parameters
    ----------
    request : mapping
        What is sent: model, messages, temperature, token limit, schema, seed, and so on.
    sample : int
        Which of several answers to it.
    prompt_version : str
    """
    whole = {"prompt_version": prompt_version, "request": request, "sample": sample}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True)
class Reply:
    """A recorded answer: a line of a recording.

    Attributes
    ----------
    key : str
        See `request_key`.
    step, model, prompt_version, sample
        What was asked; `request` holds all of it.
    answer : str
        The model's words, without its thoughts.
    finish : str
        Why the model stopped, as "stop", "length" or "content_filter"; empty: it was not said.
    repaired : bool
        Whether a first answer was outside the form, so that the model was asked once more; tokens
        and latency are those of both.
    prompt_tokens, completion_tokens : int
    usage, timings : dict
        Other counts ("estimated" is 1 where tokens were not counted), and times in seconds.
    latency_s : float
        Measured, from sending to the whole answer, without waiting for quota.
    cost_usd : float or None
        By the catalogue's price of that day; None where it is unknown.
    limits : dict of str to str
        The rate-limit headers of the answer.
    recorded, sdk : str
        The moment in UTC, and what asked.
    at_once : int
        Calls under way when it was sent, itself included: the load that the recording itself put
        on the provider. 0: older recordings do not tell.
    """

    key: str
    step: str
    model: str
    prompt_version: str
    sample: int
    request: dict[str, Any]
    answer: str
    finish: str
    repaired: bool
    prompt_tokens: int
    completion_tokens: int
    latency_s: float
    cost_usd: float | None = None
    usage: dict[str, int] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    recorded: str = ""
    sdk: str = ""
    at_once: int = 0

    def to_line(self) -> bytes:
        """The line of a recording, with its end."""
        text = json.dumps(vars(self), sort_keys=True, ensure_ascii=False, allow_nan=False)
        data = json.loads(text.encode("utf-8", "replace"))
        data["checksum"] = checksum(data)
        return json.dumps(data, sort_keys=True, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Reply:
        """A reply from a line.

        Raises
        ------
        ValueError
            If it is not one.
        """
        try:
            data = json.loads(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(data, dict):
            raise ValueError("not an object")
        # Older lines have none; whoever changes a line on purpose removes it.
        told = data.pop("checksum", None)
        if told is not None and told != checksum(data):
            raise ValueError("its checksum differs")
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        try:
            reply = cls(**known)
        except TypeError:
            raise ValueError("a field is missing") from None
        if not (isinstance(reply.key, str) and len(reply.key) == 64):
            raise ValueError("no key")
        if not (isinstance(reply.answer, str) and isinstance(reply.latency_s, int | float)):
            raise ValueError("no answer or no latency")
        if not 0 <= reply.latency_s <= MOST_S:
            raise ValueError("no latency that a call can have")
        tokens = (reply.prompt_tokens, reply.completion_tokens)
        if not all(type(n) is int and 0 <= n <= _MOST_TOKENS for n in tokens):
            raise ValueError("no token counts")
        if not (type(reply.at_once) is int and 0 <= reply.at_once <= _MOST_TOKENS):
            raise ValueError("no number of calls")
        return replace(reply, answer=clean(reply.answer))  # Older ones hold it as it came.


def read_lines(path: Path) -> tuple[dict[str, Reply], int, bool]:
    """All replies of a file by key (the first of a key counts).

    Returns
    -------
    replies : dict of str to Reply
    end : int
        Length of what is whole, in bytes.
    torn : bool
        Whether a last line without its end follows, which a killed process leaves.

    Raises
    ------
    RecordingError
        If the file cannot be read, or a line before the last is no reply.
    """
    replies: dict[str, Reply] = {}
    end = number = 0
    # A pipe or a device may never end.
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise RecordingError(f"{path}: not a regular file")
    try:
        with path.open("rb") as file:
            for line in file:
                number += 1
                if not line.endswith(b"\n"):
                    return replies, end, True
                end += len(line)
                if line.strip():
                    reply = Reply.from_line(line)
                    replies.setdefault(reply.key, reply)
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except ValueError:
        raise RecordingError(
            f"{path}, line {number}: not a line of a recording, or damaged since; remove it, or "
            "name another file"
        ) from None
    return replies, end, False


class Recording:
    """A recording that grows; get it by `open_recording`, so that a process has each once.

    Parameters
    ----------
    path : Path or None
        None keeps everything in memory only.

    Attributes
    ----------
    note : str
        What the reader should know of the file as it was found; mostly empty.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.note = ""
        self._replies: dict[str, Reply] = {}
        self._file: FileIO | None = None
        self._lock = threading.RLock()
        self._synced_s = 0.0
        self._size = -1
        self.refresh()

    def __len__(self) -> int:
        return len(self._replies)

    def __contains__(self, key: str) -> bool:
        return key in self._replies

    def get(self, key: str) -> Reply | None:
        """The reply of a key; None if there is none."""
        return self._replies.get(key)

    def replies(self) -> list[Reply]:
        """All replies, oldest first."""
        return list(self._replies.values())

    def refresh(self) -> None:
        """Read the file where it is longer or shorter than it was; not while it is held.

        Raises
        ------
        RecordingError
            If it cannot be read.
        """
        with self._lock:
            if self.path is None or self._file is not None:
                return
            size = self.path.stat().st_size if self.path.exists() else -1
            if size == self._size:
                return
            self._size, self._replies = size, {}
            if size >= 0:
                self._replies, _, torn = read_lines(self.path)
                if torn:
                    self.note = f"{self.path}: the last line was cut short and does not count"

    def open(self) -> None:
        """Make ready to write: only this process may, until `close`. Opened twice is opened once.

        What another process added since is read, a torn last line is cut off.

        Raises
        ------
        RecordingError
            If another process holds it, or it cannot be written.
        """
        with self._lock:
            if self.path is None or self._file is not None:
                return
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                file = FileIO(self.path, "a", opener=private_opener)
            except OSError as error:
                reason = error.strerror or "cannot be written"
                raise RecordingError(f"{self.path}: {reason}; name another recording") from None
            try:
                self._hold(file)
                self._replies, end, torn = read_lines(self.path)
                if torn:
                    file.truncate(end)
                    self.note = f"{self.path}: the last line was cut short and was removed"
            except BaseException:
                file.close()
                raise
            self._file = file

    def _hold(self, file: FileIO) -> None:
        try:
            hold(file)
        except OSError:
            raise RecordingError(
                f"{self.path}: another process is writing to it; wait for that, name another "
                "recording, or record first (`twin record`): a run that finds all its answers "
                "recorded writes nothing"
            ) from None

    def add(self, reply: Reply) -> None:
        """Add a reply; of one key the first stays.

        Raises
        ------
        RecordingError
            If it cannot be written.
        """
        with self._lock:
            if reply.key in self._replies:
                return
            if self.path is not None:
                self.open()
                self._write(reply.to_line())
            self._replies[reply.key] = reply

    def _write(self, line: bytes) -> None:
        file = self._file
        assert file is not None
        try:
            append(file, line)
            if time.monotonic() - self._synced_s > _SYNC_S:
                os.fsync(file.fileno())
                self._synced_s = time.monotonic()
        except OSError as error:
            reason = error.strerror or "cannot be written"
            raise RecordingError(
                f"{self.path}: {reason}; what was recorded before is kept: make room and run the "
                "same command again"
            ) from None

    def close(self) -> None:
        """Let other processes write. Closed twice is closed once."""
        with self._lock:
            if self._file is not None:
                file, self._file = self._file, None
                with suppress(OSError):
                    os.fsync(file.fileno())
                self._size = os.fstat(file.fileno()).st_size
                file.close()

    def __del__(self) -> None:
        self.close()


_open: WeakValueDictionary[Path, Recording] = WeakValueDictionary()


def open_recording(path: str | Path | None) -> Recording:
    """The recording of a file, one and the same while somebody in the process uses it.

    Parameters
    ----------
    path : str, Path or None
        None is a new one in memory.

    Raises
    ------
    RecordingError
        If the file is there and cannot be read.
    """
    if path is None:
        return Recording(None)
    path = Path(path).resolve()
    found = _open.get(path)
    if found is None:
        found = _open[path] = Recording(path)
    else:
        found.refresh()
    return found
