"""Plain data as TOML that people read and change."""

from __future__ import annotations

import re
from typing import Any

import tomli_w

# A list of numbers or plain words, each on a line of its own; no text holds the end of a line.
_LIST = re.compile(r'\[\n((?: +(?:[^\s"\[{]+|"[^"\\\n]*"),\n)+) *\]')


def dump(data: dict[str, Any]) -> str:
    """Data as TOML; what is None is left out.

    Examples
    --------
    >>> print(dump({"horizon": "7d", "arrivals": {"by_hour": [1, 2.5], "rate": None}}))
    horizon = "7d"
    <BLANKLINE>
    [arrivals]
    by_hour = [1, 2.5]
    """
    return _LIST.sub(_on_one_line, tomli_w.dumps(_given(data))).strip()


def _given(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _given(value) for key, value in data.items() if value is not None}
    return [_given(value) for value in data] if isinstance(data, list | tuple) else data


def _on_one_line(found: re.Match[str]) -> str:
    return f"[{', '.join(line.strip().rstrip(',') for line in found[1].split(chr(10)) if line)}]"
