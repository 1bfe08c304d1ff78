"""Changes to a scenario's data: by dotted key, and one table over another."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Any

from twin.common.errors import Fault, ScenarioError
from twin.common.files import unmakeable

# Keys that need no quotes in TOML.
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# Keys that hold a file or folder, relative to the file they stand in.
PATH_KEYS = {
    "change", "corpus", "feedback", "file", "forecast", "knowledge", "recording", "roster", "trace",
}  # fmt: skip


def clean_name(text: str) -> str:
    """The text as a name that scenarios may have."""
    allowed = (c if c.isascii() and (c.isalnum() or c in " ._+=,@-") else "-" for c in text)
    name = "".join(allowed).lstrip(" ._+=,@-")[:120].rstrip(" .") or "scenario"
    if unmakeable(name):
        stem, point, rest = name.partition(".")
        name = f"{stem}-{point}{rest}"
    return name


def parse_change(text: str) -> tuple[str, Any]:
    """Key path and value of a ``--set`` argument such as ``arrivals.scale=2``.

    The value is read as TOML where it is TOML, else taken as a string.

    Raises
    ------
    ScenarioError
        If there is no ``=`` in it.

    Examples
    --------
    >>> parse_change("arrivals.rate=40/h"), parse_change("arrivals.scale=2")
    (('arrivals.rate', '40/h'), ('arrivals.scale', 2))
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ScenarioError("--set", [Fault(text, "must look like key.path=value")])
    try:
        read = tomllib.loads(f"value = {value}")
        str(read)
    except (ValueError, RecursionError):
        # No TOML, a number of more digits than can be shown, or a thousand brackets.
        read = {}
    # A line more in it would be a key more, which nobody asked for.
    return key.strip(), read["value"] if len(read) == 1 else value.strip()


def as_change(key: str, value: Any) -> str:
    """A ``--set`` argument that `parse_change` reads as this key path and value.

    Parameters
    ----------
    key : str
        Dotted key path.
    value : object
        Plain data, as of TOML.

    Examples
    --------
    >>> as_change("arrivals.rate", "40/h"), as_change("agents.mail.shifts", [{"heads": 2}])
    ('arrivals.rate=40/h', 'agents.mail.shifts=[{heads = 2}]')
    """
    if isinstance(value, str) and parse_change(f"{key}={value}") == (key, value):
        return f"{key}={value}"
    return f"{key}={_inline(value)}"


def _inline(value: Any) -> str:
    """A value as TOML on one line."""
    if isinstance(value, Mapping):
        parts = (f"{_quoted(name, keyed=True)} = {_inline(one)}" for name, one in value.items()
                 if one is not None)  # fmt: skip
        return f"{{{', '.join(parts)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | time):
        return value.isoformat()
    if hasattr(value, "item"):  # a numpy number
        value = value.item()
    return str(value) if isinstance(value, int | float) else _quoted(str(value))


def _quoted(text: str, *, keyed: bool = False) -> str:
    if keyed and _BARE.fullmatch(text):
        return text
    # TOML escapes as JSON does, and this one more.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge two tables key by key; everything else is replaced.

    A distribution is one value: another kind replaces it whole.
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        if both and "distribution" not in value:
            merged[key] = merge(old, value)  # type: ignore[arg-type]
        else:
            merged[key] = value
    return merged


def assign(data: dict[str, Any], key: str, value: Any, where: str) -> None:
    """Set the value at a dotted key path; a file's path is taken from the working folder.

    Raises
    ------
    ScenarioError
        If the path leads nowhere.
    """
    *path, last = key.split(".")
    node: Any = data
    for part in path:
        if isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict):
            node = node.setdefault(part, {})
        else:
            raise ScenarioError(where, [Fault(key, f'"{part}" leads nowhere', value)])
    if hasattr(value, "item"):  # a numpy number, from a sweep over an array
        value = value.item()
    if isinstance(node, list) and last.isdigit() and int(last) < len(node):
        node[int(last)] = value
    elif isinstance(node, dict):
        if last in PATH_KEYS and isinstance(value, str):
            try:
                value = str(Path(value).resolve())
            except (OSError, ValueError) as error:
                raise ScenarioError(where, [Fault(key, f"not a file name: {error}")]) from None
        node[last] = value
    else:
        raise ScenarioError(where, [Fault(key, f'"{last}" leads nowhere', value)])


def flat(data: dict[str, Any]) -> dict[str, str]:
    """Nested data as dotted key paths with their values as text, without empty ones."""
    found: dict[str, str] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else key, inner)
        elif value is not None and value not in ({}, []):
            found[prefix] = _words(value)

    walk("", data)
    return found


def _words(value: Any) -> str:
    """A value as in a scenario file, but for quotes and brackets around it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    if isinstance(value, dict):
        parts = [f"{key} = {_words(inner)}" for key, inner in value.items() if inner != []]
        return f"{{ {', '.join(parts)} }}"
    return str(value)
