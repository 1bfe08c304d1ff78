"""Files: bounded reading of what people bring, and writing that is whole or does not happen."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import get_ident
from typing import Any, BinaryIO

from twin.common.errors import DamagedFile

# No JSON file that the twin writes or reads comes near it.
MOST_JSON_BYTES = 200_000_000
# Name of the checksum in files of results.
CHECKSUM = "checksum"
_WINDOWS = os.name == "nt"
# A reader on Windows, such as a virus scanner, has done in that time.
_WAITS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
# No folder takes so long to be filled.
_STALE_S = 86_400.0
# Of files that hold customers' texts.
PRIVATE_MODE = 0o600
CHECKSUM_DIFFERS = "its checksum differs"
# To Windows they are devices, in any folder, in any case and with any ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?", re.I)


def unmakeable(name: str) -> str:
    """Why some system cannot make a file or folder of a name; empty where all can.

    Results made on one machine are copied to another.

    Examples
    --------
    >>> unmakeable("con.old"), unmakeable("desk "), unmakeable("console")
    ('is the name of a device to Windows', 'must not end with a blank or a full stop', '')
    """
    if _DEVICES.fullmatch(name):
        return "is the name of a device to Windows"
    if name != name.rstrip(" ."):
        return "must not end with a blank or a full stop"
    return ""


def is_there(path: str | Path, folder: bool = False) -> bool:
    """True if there is such a file or folder; False where nobody may look."""
    try:
        return Path(path).is_dir() if folder else Path(path).is_file()
    except OSError:  # a name too long to ask about, or a folder that nobody may look into
        return False


def make_writable(folder: Path) -> None:
    """Make a folder where there is none, and see that files can be made in it.

    So that what cannot be written fails before all the work, not after it.

    Raises
    ------
    OSError
        If they cannot; it names the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None


def regular_file(path: Path) -> int:
    """Size of a file, in bytes; of a folder 0, which says itself what it is when it is read.

    Raises
    ------
    ValueError
        If it is neither: a pipe or a device has no size, and may never end.
    OSError
        If it is not there.
    """
    try:
        found = path.stat()
    except ValueError as error:
        raise ValueError(f"not a file name: {error}") from None
    if stat.S_ISDIR(found.st_mode):
        return 0
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("not a regular file")
    return found.st_size


def read_bytes(path: Path, most_bytes: int, expected: str) -> bytes:
    """Read a file; see `read_text`."""
    if regular_file(path) > most_bytes:
        k = most_bytes // 1000
        size = f"{k // 1000} MB" if k >= 1000 else f"{k} kB"
        raise ValueError(f"larger than {size}: not {expected}")
    return path.read_bytes()


def read_text(path: Path, most_bytes: int, expected: str) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Parameters
    ----------
    path : Path
    most_bytes : int
        A larger file is not read.
    expected : str
        Kind of file, for the message of one that is too large.

    Raises
    ------
    ValueError
        If it is too large, no regular file or no such text; see `reason`.
    OSError
        If it cannot be read.
    """
    data = read_bytes(path, most_bytes, expected)
    try:
        # Some editors on Windows put a byte order mark in front.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text (byte {error.start})") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def cache_folder() -> Path | None:
    """The user's folder for what can be made again, which may not be there.

    None without a home, and where the environment variable TWIN_CACHE is `off`.
    """
    if os.environ.get("TWIN_CACHE", "").lower() == "off":
        return None
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        # As the standard of these variables has it: a relative one does not count.
        return (base if base.is_absolute() else Path.home() / ".cache") / "support-desk-twin"
    except RuntimeError:
        return None


@contextmanager
def own_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read, of those that nobody else could have written, as far as is known.

    Raises
    ------
    OSError, ValueError
        If it is not there, cannot be read, or others may write to it.
    """
    # A pipe would not open until somebody writes to it.
    regular_file(path)
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
            raise ValueError("others may write to it")
        yield file


def read_json(path: Path, expected: str, most_bytes: int = MOST_JSON_BYTES) -> Any:
    """Read a JSON file; see `read_text`. No text of the file is shown in an error."""
    text = read_text(path, most_bytes, expected)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"not valid JSON at {place}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def reason(error: OSError | ValueError) -> str:
    """Words for why a file cannot be read, without its name."""
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or 'no reason given'}"
    # The rest of the message is advice to programmers.
    return str(error).partition(";")[0]


@contextmanager
def whole(path: Path, sync: bool = False, private: bool = False) -> Iterator[Path]:
    """Give a file beside `path` to write to, and rename it at the end: whole or not there.

    Parameters
    ----------
    path : Path
        An older file stays as it was until then, and where the writing fails.
    sync : bool
        Make sure that the disk has it before it is renamed.
    private : bool
        Whether nobody but its owner may read it: it holds customers' texts.
    """
    part = _part(path)
    try:
        if private:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_MODE))
        yield part
        if sync:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        _replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path, mode: int = 0o777) -> Iterator[Path]:
    """Give a folder beside `folder` to fill, and put it in its place at the end; see `whole`.

    Another process that does the same at once fills one of its own.

    Raises
    ------
    OSError
        If it cannot be written. What was there before is there again.
    """
    put_back(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    clear_parts(folder)
    part = _part(folder)
    try:
        part.mkdir(mode=mode)
        yield part
        _put_in_place(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put_in_place(part: Path, folder: Path) -> None:
    old = _old(folder)
    for again in (True, True, False):
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        try:
            part.rename(folder)
        except OSError:
            # Who reads at this moment puts the older one back.
            put_back(folder)
            if not again:
                raise
        else:
            break
    shutil.rmtree(old, ignore_errors=True)


def _part(path: Path) -> Path:
    """Name beside a file or folder, of this process alone, for what is not whole yet."""
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{get_ident()}.part")


@cache
def _machine() -> str:
    """Letters that tell machines apart which share a disk: a process is known by its own alone."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def clear_parts(path: Path) -> None:
    """Remove what processes that were killed have left beside a file or folder; see `whole`."""
    form = re.compile(rf"\.{re.escape(path.name)}\.(?:(?:(\w+)-)?(\d+)-\d+\.)?part")
    for part in path.parent.glob(f".{glob.escape(path.name)}.*part"):
        told = form.fullmatch(part.name)
        if told is None or not (told[2] is None or _is_left(part, told[1], int(told[2]))):
            continue
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder, if it is there: from one moment to the next, not file by file."""
    part = _part(folder)
    try:
        folder.rename(part)
    except FileNotFoundError:
        return
    shutil.rmtree(part, ignore_errors=True)


def _is_left(part: Path, machine: str | None, process: int) -> bool:
    """True if the process that made it is no more, or must be, by its age."""
    # On Windows the question would end the process.
    if machine == _machine() and not _WINDOWS:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
    try:
        return time.time() - part.stat().st_mtime > _STALE_S
    except FileNotFoundError:
        return False


def put_back(folder: Path) -> None:
    """Put a folder back that a killed process had set aside, to replace it."""
    # A folder without a name, such as "." or "/", is there.
    if folder.name and _old(folder).is_dir() and not folder.exists():
        _old(folder).rename(folder)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _replace(part: Path, path: Path) -> None:
    """Rename a file, again and again for a while where somebody reads the older one (Windows)."""
    for wait_s in _WAITS_S:
        try:
            part.replace(path)
        except PermissionError:
            # On POSIX a reader is in nobody's way, so it is the folder, and stays so.
            if not _WINDOWS:
                raise
            time.sleep(wait_s)
        else:
            return
    part.replace(path)


def write_text(path: Path, text: str, sync: bool = False, private: bool = False) -> None:
    """Write a text file, whole or not at all; see `whole`.

    Raises
    ------
    OSError
        If it cannot be written; it names `path`.
    """
    try:
        with whole(path, sync, private) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        # A disk that is full does not say where, and nobody knows the file beside.
        raise OSError(error.errno, error.strerror, str(path)) from None


def to_json(data: Any) -> str:
    """Data as JSON that people can read."""
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def write_json(path: Path, data: Any, sync: bool = False, private: bool = False) -> None:
    """Write a file of `to_json`, whole or not at all; see `write_text`."""
    write_text(path, to_json(data), sync, private)


def write_sealed(path: Path, data: dict[str, Any]) -> None:
    """Write a JSON object with a checksum of itself, for `read_sealed`; see `write_text`."""
    write_json(path, {**data, CHECKSUM: checksum(data)})


def read_sealed(path: Path, expected: str) -> dict[str, Any]:
    """Read a JSON object of `write_sealed`, without its checksum; older files have none.

    Raises
    ------
    DamagedFile
        If the checksum differs.
    ValueError, OSError
        See `read_json`.
    """
    data = read_json(path, expected)
    if not isinstance(data, dict):
        raise ValueError(f"not {expected}")
    return unsealed(path, data)


def unsealed(path: Path, data: dict[str, Any]) -> dict[str, Any]:
    """The object of a file of `write_sealed`, without its checksum; see `read_sealed`."""
    told = data.pop(CHECKSUM, None)
    if told is not None and told != checksum(data):
        hint = f"if it was changed on purpose, remove the key {CHECKSUM}"
        raise DamagedFile(path, CHECKSUM_DIFFERS, hint)
    return data


def checksum(data: dict[str, Any]) -> str:
    """SHA-256 of a JSON object, whatever the order of its keys."""
    # As it will be read: with names for keys, and lists.
    text = json.dumps(json.loads(json.dumps(data)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
