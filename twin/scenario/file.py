"""Scenario files: TOML with `extends`, changes by dotted key, and errors a person can act on."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twin.common.errors import Fault, ScenarioError
from twin.common.files import is_there, read_text, reason
from twin.common.text import command
from twin.scenario.changes import PATH_KEYS, assign, clean_name, merge
from twin.scenario.model import Scenario, from_data

_MAX_EXTENDS = 10
_MAX_BYTES = 1_000_000
_MAX_DEPTH = 30
_TOO_DEEP = Fault("", f"nested too deeply; at most {_MAX_DEPTH} levels")


def load(path: str | Path, changes: Mapping[str, Any] | None = None) -> Scenario:
    """Read a scenario file.

    Parameters
    ----------
    path : str or Path
        A TOML file.
    changes : mapping of str to value, optional
        Dotted key paths changed after reading, as on the command line with ``--set``.

    Returns
    -------
    Scenario

    Raises
    ------
    ScenarioError
        With one fault for everything that is wrong in it.

    Examples
    --------
    >>> import tempfile, twin
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "small.toml"
    ...     _ = path.write_text('''arrivals.rate = "6/h"
    ... agents.all = { heads = 1, handle_time = "5min" }''')
    ...     desk = twin.load(path, {"arrivals.scale": 2})
    >>> desk.name, desk.arrivals.scale
    ('small', 2.0)
    """
    path = Path(path)
    data = _read(path, ())
    if "factors" in data and data.keys() & {"scenario", "scenarios"}:
        fault = Fault("", "is a study", hint=f"play it with {command('twin', 'study', path)}")
        raise ScenarioError(str(path), [fault])
    data.setdefault("name", clean_name(path.stem))
    for key, value in (changes or {}).items():
        assign(data, key, value, str(path))
        if key == "models":
            _read_models(data, Path())
    scenario = from_data(data, str(path))
    scenario._path, scenario._set = path, dict(changes or {})
    return scenario


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file of at most 1 MB.

    Raises
    ------
    ScenarioError
        If it is not there, or is no such file.
    """
    try:
        data = tomllib.loads(read_text(path, _MAX_BYTES, "a scenario or study"))
        if not _too_deep(data):
            return data
        fault = _TOO_DEEP
    except FileNotFoundError:
        fault = Fault("", "no such file", hint=_near_file(path))
    except tomllib.TOMLDecodeError as error:
        fault = _toml_fault(str(error))
    except RecursionError:
        fault = _TOO_DEEP
    except (OSError, ValueError) as error:
        fault = Fault("", reason(error))
        if is_there(path, folder=True):
            fault = Fault("", "is a folder; name a file in it", hint=_first_file(path))
    raise ScenarioError(str(path), [fault])


def _parse(path: Path) -> dict[str, Any]:
    """The file as it stands, with paths made absolute and `extends` still in it."""
    data = read_toml(path)
    try:
        _anchor_paths(data, path.parent)
        _read_models(data, path.parent)
    except (OSError, ValueError) as error:
        fault = Fault("", f"a path in it is not a file name: {error}")
        raise ScenarioError(str(path), [fault]) from None
    return data


def _toml_fault(message: str) -> Fault:
    message = message.replace("Cannot overwrite a value", "a key is given twice")
    unquoted = message.startswith(("Expected newline", "Invalid value"))
    hint = 'texts and durations stand in quotes, as horizon = "8h"' if unquoted else ""
    return Fault("", f"not valid TOML: {message}", hint=hint)


def _too_deep(data: dict[str, Any]) -> bool:
    level: list[Any] = [data]
    for _ in range(_MAX_DEPTH):
        nested = [x.values() if isinstance(x, dict) else x for x in level]
        level = [y for x in nested for y in x if isinstance(y, dict | list)]
    return bool(level)


def base_of(path: str | Path) -> Path | None:
    """The file that a scenario file extends, if any.

    Raises
    ------
    ScenarioError
        If the file cannot be read.
    """
    path = Path(path)
    base = _parse(path).get("extends")
    return (path.parent / base).resolve() if isinstance(base, str) else None


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    where = str(path)
    data = _parse(path)
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ScenarioError(where, [Fault("extends", "must be a file name", base)])
    try:
        base_path = (path.parent / base).resolve()
    except (OSError, ValueError) as error:
        raise ScenarioError(where, [Fault("extends", f"not a file name: {error}", base)]) from None
    if base_path in seen or base_path == path.resolve():
        raise ScenarioError(where, [Fault("extends", "goes round in a circle", base)])
    if len(seen) >= _MAX_EXTENDS:
        raise ScenarioError(where, [Fault("extends", f"more than {_MAX_EXTENDS} files deep", base)])
    try:
        there = base_path.is_file()
    except OSError:  # a name too long to ask about
        there = False
    if not there:
        hint = _near_file(base_path)
        raise ScenarioError(where, [Fault("extends", "no such file", base, hint)])
    merged = _read(base_path, (*seen, path.resolve()))
    # A file's name and question are its own, never its base's.
    merged.pop("name", None)
    merged.pop("question", None)
    if data.get("agents") == {}:
        # A table of pools by name: `agents = {}` empties it, it does not leave it as it is.
        merged.pop("agents", None)
    return merge(merged, data)


def _read_models(data: dict[str, Any], folder: Path) -> None:
    """Put the tables of a file in the place of its name: ``models = "FILE.toml"``."""
    if isinstance(name := data.get("models"), str):
        data["models"] = read_toml((folder / name).resolve())


def _near_file(path: Path) -> str:
    try:
        names = [p.name for p in path.parent.glob("*.toml") if p.exists()]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=1)
    return f"did you mean {path.parent / near[0]}?" if near else ""


def _first_file(folder: Path) -> str:
    try:
        return next((f"as {one}" for one in sorted(folder.glob("*.toml"))), "")
    except OSError:
        return ""


def _anchor_paths(data: Any, folder: Path) -> None:
    if isinstance(data, dict):
        for key, value in data.items():
            if key in PATH_KEYS and isinstance(value, str):
                data[key] = str((folder / value).resolve())
            else:
                _anchor_paths(value, folder)
    elif isinstance(data, list):
        for item in data:
            _anchor_paths(item, folder)


def starter() -> Path:
    """Folder of the starter scenarios: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "starter"
    return inside if inside.is_dir() else package.parent / "scenarios"
