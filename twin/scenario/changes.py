"""Changes to a scenario's data: by dotted key, and one table over another."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from twin.common.errors import Fault, ScenarioError
from twin.common.files import unmakeable

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
    except (ValueError, RecursionError):
        # No TOML, a number of thousands of digits, or a thousand brackets.
        read = {}
    # A line more in it would be a key more, which nobody asked for.
    return key.strip(), read["value"] if len(read) == 1 else value.strip()


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
