"""Plain data as TOML, so that a page can hold a scenario that runs again."""

from __future__ import annotations

import json
import re
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dump(data: dict[str, Any]) -> str:
    """Data as TOML; what is None is left out.

    Examples
    --------
    >>> print(dump({"horizon": "7d", "arrivals": {"rate": "40/h"}}))
    horizon = "7d"
    <BLANKLINE>
    [arrivals]
    rate = "40/h"
    """
    return "\n".join(_lines(data, ())).strip()


def _lines(data: dict[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {k: v for k, v in data.items() if not _is_table(v) and v is not None}
    lines = [f"{_key(k)} = {_value(v)}" for k, v in plain.items()]
    if path and (lines or not data):
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for key, value in data.items():
        if _is_table(value):
            lines += _lines(value, (*path, key))
    return lines


def _is_table(value: Any) -> bool:
    # A distribution is one value: on one line it reads as such.
    return isinstance(value, dict) and "distribution" not in value


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    # JSON's strings are TOML's, but for characters beyond the first plane and DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inner} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(v) for v in value)}]"
    return _text(str(value))
