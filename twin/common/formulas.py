"""Texts that spreadsheets would take for formulas: how CSV of the twin holds them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# Signs with which a formula begins, at the start of a cell, or of what is one where another sign
# parts cells (https://owasp.org/www-community/attacks/CSV_Injection, read November 2026).
_CELL, _SIGNS = r"(?:^|[;\t\r\n])[\s\"']*", "=+@＝＋＠－\\-"
_FORMULA = re.compile(rf"({_CELL})(?=[{_SIGNS}])")
_GUARDED = re.compile(rf"({_CELL})'(?=[{_SIGNS}])")


def guarded(text: str) -> str:
    """A text as a cell that no spreadsheet takes for a formula; numbers stay as they are.

    Examples
    --------
    >>> guarded("=1+1"), guarded("Bills"), guarded("-5"), guarded("a;@b")
    ("'=1+1", 'Bills', '-5', "a;'@b")
    """
    return text if _is_number(text) else _FORMULA.sub(r"\1'", text)


def unguarded(cell: str) -> str:
    """The text of a cell of `guarded`.

    Examples
    --------
    >>> unguarded("'=1+1"), unguarded("don't"), unguarded(guarded("'=1+1"))
    ('=1+1', "don't", "'=1+1")
    """
    return _GUARDED.sub(r"\1", cell) if "'" in cell else cell


def harmless(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame to be written as CSV, its texts `guarded`."""
    found = frame.copy(deep=False)
    for at, column in enumerate(frame):
        cells = frame[column]
        texts = {cell: guarded(cell) for cell in cells.unique() if isinstance(cell, str)}
        if any(cell != text for cell, text in texts.items()):
            plain = [texts.get(cell, cell) for cell in cells]
            found.isetitem(at, plain)
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
