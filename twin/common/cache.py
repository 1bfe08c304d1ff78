"""The user's cache folder: what can be made anew, kept by a hash of all that it depends on.

It is `support-desk-twin` in XDG_CACHE_HOME, or else in `~/.cache`. Nothing is kept or used
where the environment variable TWIN_CACHE is `off`.
"""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.common.files import cache_folder, clear_parts, own_file, whole

# The oldest go where there is more.
MOST_BYTES = 200_000_000
# A larger file would drive out most others.
_MOST_A_FILE = 80_000_000
_ENDING = ".npz"

Arrays = Mapping[str, npt.NDArray[Any]]


def key_of(code: Iterable[Path], libraries: Iterable[str], *parts: object) -> str:
    """Hash of code, of versions of libraries, of the machine, and of what is computed from.

    Parameters
    ----------
    code : iterable of Path
        Files of the package.
    libraries : iterable of str
        As pip names them.
    *parts : object
        Written out by `repr`.
    """
    digest = hashlib.sha256(repr([platform.machine(), *map(version, libraries)]).encode())
    for path in code:
        digest.update(path.read_bytes())
    for part in parts:
        digest.update(repr(part).encode("utf-8", "replace"))
    return digest.hexdigest()


def arrays(kind: str, key: str, make: Callable[[], Arrays]) -> Arrays:
    """Arrays from the cache, or those that are made where it has none that can be read.

    Parameters
    ----------
    kind, key : str
        The file's name: what it is, and the hash of all that it depends on.
    make : callable
        Makes them.

    Returns
    -------
    mapping of str to array
        As stored; that they fit is the caller's to see.
    """
    base = cache_folder()
    path = None if base is None else base / f"{kind}-{key[:32]}{_ENDING}"
    if path is not None and (found := _read(path)) is not None:
        return found
    made = make()
    if path is not None:
        _keep(path, made)
    return made


def _keep(path: Path, made: Arrays) -> None:
    """Store arrays, for their owner's eyes only: they can hold words of customers.

    A cache that cannot be written costs time only. Another process never reads half a file.
    """
    if math.fsum(array.nbytes for array in made.values()) > _MOST_A_FILE:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_parts(path)
        with whole(path, private=True) as part, part.open("wb") as file:
            np.savez(file, allow_pickle=False, **dict(made))
        _bound(path.parent)


def _read(path: Path) -> Arrays | None:
    # Damage to a file has many errors, of the formats ZIP and NPY and of memory.
    with suppress(Exception), own_file(path) as file, np.load(file, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
    return None


def _by_age(base: Path) -> list[Path]:
    found = []
    for path in base.glob(f"*{_ENDING}"):
        with suppress(OSError):  # Another process may have removed it.
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def _bound(base: Path) -> None:
    kept = _by_age(base)
    sizes = []
    for path in kept:
        with suppress(OSError):
            sizes.append((path, path.stat().st_size))
    total = math.fsum(size for _, size in sizes)
    for path, size in sizes[:-1]:
        if total <= MOST_BYTES:
            return
        with suppress(OSError):
            path.unlink()
        total -= size
