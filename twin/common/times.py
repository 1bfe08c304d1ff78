"""Times as people's tools write them: the one place that reads them.

Understood are ISO 8601 in all its forms for moments, and what PostgreSQL (``2026-10-24
09:00:00+01``), BigQuery (``2026-10-24 09:00:00 UTC``), ServiceNow, mail and spreadsheets write
(``10/24/2026 9:00:00 AM``, ``24.10.2026 09:00``, ``24 Oct 2026``). A time without an offset is
local. Day and month of 03/04/2026 are told apart by the other rows, and never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from twin.common.errors import TwinError
from twin.common.tables import as_number, is_blank, is_number, shown_cell, trimmed

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*\.?"
_CLOCK = (
    r"(?:(?:,\s*|\s+|(?P<t>t))"
    r"(?P<H>\d\d?)(?:(?P<c>:?)(?P<M>\d\d)(?:(?P=c)(?P<S>\d\d))?|\.(?P<M2>\d\d)\.(?P<S2>\d\d))?"
    r"(?:[.,](?P<f>\d+))?(?:\s*(?P<half>[ap])\.?m\.?)?"
    r"\s*(?P<zone>z|(?:utc|gmt)?[+-]\d\d?(?::?\d\d(?::?\d\d)?)?|utc|gmt)?"
    # The name of the zone says no more than its offset.
    r"(?:\s*(?:\[[^\]]*\]|\([^)]*\)))?)?"
)
_DATES = (
    # ISO 8601: a day of a month, of a week or of a year; and the same with other signs between.
    r"(?P<Y>\d{4})(?P<s>-?)(?:(?P<m>\d\d)(?:(?P=s)(?P<d>\d\d))?|w(?P<w>\d\d)(?:(?P=s)(?P<wd>\d))?"
    r"|(?P<yd>\d{3}))",
    r"(?P<Y>\d{4})(?P<s>[-/.])(?P<m>\d\d?)(?P=s)(?P<d>\d\d?)",
    # Day first or month first, as the other rows tell; with points always the day.
    r"(?P<a>\d\d?)(?P<s>[-/.])(?P<b>\d\d?)(?P=s)(?P<Y>\d{4}|(?<=/)\d\d)",
    # 24 Oct 2026, Sat, 24-Oct-26; Oct 24, 2026, Sat Oct 24 2026.
    rf"(?:[a-z]{{3,9}},?\s+)?(?P<d>\d\d?)[-\s]{_MONTH}[-\s,]+(?P<Y>\d{{4}}|\d\d)",
    rf"(?:[a-z]{{3,9}},?\s+)?{_MONTH}\s+(?P<d>\d\d?),?\s+(?P<Y>\d{{4}})",
)
_FORMS = tuple(re.compile(form + _CLOCK, re.IGNORECASE | re.ASCII) for form in _DATES)
# As nearly all are; Python reads it at once.
_USUAL = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)?", re.ASCII
)
# What programs write for a number that is none; not of one that is beyond all bounds.
_NO_TIME = ("nan", "nat", "null", "none")
# Calendars and time zones are sound there.
_FIRST_YEAR, _LAST_YEAR = 1600, 2999
_EPOCH = datetime(1970, 1, 1)
_US = timedelta(microseconds=1)

Micros = npt.NDArray[np.int64]


class BadTime(TwinError, ValueError):
    """A cell that is no time.

    Attributes
    ----------
    row : int
        Its place among the cells, 0 first.
    """

    def __init__(self, row: int, reason: str) -> None:
        self.row = row
        super().__init__(reason)


@dataclass(frozen=True)
class _Wall:
    """A time as it was written: local or, with an offset, not."""

    moment: datetime
    offset: timedelta | None


def is_missing(cell: object) -> bool:
    """True if a cell holds no time: it is blank or a program's word for that."""
    return is_blank(cell) or (isinstance(cell, str) and trimmed(cell).lower() in _NO_TIME)


def seconds(cells: Sequence[object]) -> list[float] | None:
    """Cells as numbers of seconds, where all that are not missing are such; else None.

    Raises
    ------
    BadTime
        If one has no value, or is beyond all bounds.
    """
    endless = ("inf", "infinity")

    def is_such(cell: object) -> bool:
        if is_number(cell) or is_missing(cell):
            return True
        return isinstance(cell, str) and trimmed(cell).lower().lstrip("+-") in endless

    if not all(map(is_such, cells)) or not any(map(is_number, cells)):
        return None
    found = []
    for row, cell in enumerate(cells):
        if is_missing(cell):
            raise BadTime(row, "has no timestamp")
        value = as_number(cell)
        if not np.isfinite(value):
            raise BadTime(row, f"{shown_cell(cell)} is no moment")
        found.append(value)
    return found


def instants(cells: Sequence[object], time_zone: str) -> Micros:
    """Cells as instants.

    Parameters
    ----------
    cells : sequence
        Texts, or dates and times.
    time_zone : str
        Of times that name no offset. An hour that comes twice is the first one; one that does not
        come at all, as the clocks go forward, is the moment at which they do.

    Returns
    -------
    array of int, shape (n,)
        Microseconds since 1970, UTC.

    Raises
    ------
    BadTime
        Naming the first cell that is no time, and why.

    Examples
    --------
    >>> instants(["2026-10-24 09:00:00+01", "2026-10-25 10:00:00+00"], "Europe/London")
    array([1792828800000000, 1792922400000000])
    """
    day_first = _day_first(cells)
    walls = []
    for row, cell in enumerate(cells):
        if (wall := _usual(cell)) is not None:
            walls.append(wall)
            continue
        if is_missing(cell):
            raise BadTime(row, "has no timestamp")
        try:
            text = isinstance(cell, str)
            walls.append(_read(_plain(str(cell)), day_first) if text else _given(cell))
        except (ValueError, OverflowError) as error:
            clear = not isinstance(error, UnclearTime)
            said = "is no time that is understood" if clear else f"may be two times: {error}"
            raise BadTime(row, f"{shown_cell(cell)} {said}") from None
    return _on_clock(walls, cells, time_zone)


def instant(text: str) -> float:
    """A time as seconds since 1970; in UTC where it names no offset.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> instant("1970-01-01T01:00:00+01:00"), instant("1970-01-02")
    (0.0, 86400.0)
    """
    return float(instants([text], "UTC")[0] / 1e6)


class UnclearTime(TwinError, ValueError):
    """A time that may be two."""


def _plain(text: str) -> str:
    """Without the signs that programs put for blanks and minus."""
    plain = unicodedata.normalize("NFKC", trimmed(text)).replace("\u2212", "-")
    return " ".join(plain.split())


def _match(text: str) -> re.Match[str] | None:
    return next((found for form in _FORMS if (found := form.fullmatch(text))), None)


def _usual(cell: object) -> _Wall | None:
    """A time in the form that nearly all have; None of all others."""
    if not isinstance(cell, str) or _USUAL.fullmatch(cell) is None:
        return None
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:  # a second 60, or a fault that is worded elsewhere
        return None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        return None
    return _Wall(moment.replace(tzinfo=None), moment.utcoffset())


def _day_first(cells: Sequence[object]) -> bool | None:
    """True if 03/04/2026 is in April, by rows that leave no doubt; None where none is there."""
    form = _FORMS[2]
    told: dict[bool, int] = {}
    for row, cell in enumerate(cells):
        # A row of ISO times, as nearly all are, is left at its first signs.
        if not isinstance(cell, str) or cell[:4].isdigit():
            continue
        if not (found := form.fullmatch(_plain(cell))):
            continue
        a, b = int(found["a"]), int(found["b"])
        if found["s"] != "." and (a > 12) != (b > 12):
            told.setdefault(a > 12, row)
    if len(told) == 2:
        row = max(told.values())
        this, other = shown_cell(cells[row]), shown_cell(cells[min(told.values())])
        raise BadTime(row, f"{this}: day and month have changed places since {other}")
    return next(iter(told), None)


def _read(text: str, day_first: bool | None) -> _Wall:
    found = _match(text)
    if found is None:
        raise ValueError
    part = found.groupdict()
    if part["H"] and not (part.get("d") or part.get("wd") or part.get("yd") or part.get("a")):
        raise ValueError
    moment = datetime.combine(_day(part, day_first), datetime.min.time())
    hour = int(part["H"] or 0)
    if part["half"]:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + 12 * (part["half"].lower() == "p")
    minute, second = (int(part[name] or part[f"{name}2"] or 0) for name in ("M", "S"))
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and minute + second > 0):
        raise ValueError
    if part["f"] and not (part["M"] or part["M2"] or part["t"]):
        raise UnclearTime("half past nine is 09:30, and of hours ISO 8601 writes T09.5")
    # A fraction is one of the last unit that is given.
    last = 1 if part["S"] or part["S2"] else 60 if part["M"] else 3600
    fraction = round(int(part["f"] or 0) * last * 10**6 / 10 ** len(part["f"] or ""))
    moment += timedelta(hours=hour, minutes=minute, seconds=second, microseconds=fraction)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError
    return _Wall(moment, _offset(part["zone"]))


def _day(part: dict[str, Any], day_first: bool | None) -> date:
    year = int(part["Y"]) + (2000 if len(part["Y"]) == 2 else 0)
    if part.get("w"):
        return date.fromisocalendar(year, int(part["w"]), int(part["wd"] or 1))
    if part.get("yd"):
        if not 1 <= int(part["yd"]) <= 366 - (not _is_leap(year)):
            raise ValueError
        return date(year, 1, 1) + timedelta(days=int(part["yd"]) - 1)
    if part.get("name"):
        return date(year, _MONTHS.index(part["name"].lower()) + 1, int(part["d"]))
    if part.get("a") is None:
        return date(year, int(part["m"]), int(part["d"] or 1))
    a, b = int(part["a"]), int(part["b"])
    if part["s"] == ".":
        day_first = True
    if day_first is None and a != b:
        raise UnclearTime("no row tells which is the day and which the month; write 2026-01-31")
    return date(year, b, a) if day_first else date(year, a, b)


def _is_leap(year: int) -> bool:
    return (year % 4 == 0 and year % 100 != 0) or year % 400 == 0


def _offset(zone: str | None) -> timedelta | None:
    if zone is None:
        return None
    digits = re.sub(r"[^\d+-]", "", zone)
    if not digits:
        return timedelta(0)
    sign, number = digits[0], digits[1:].rjust(2, "0") if len(digits) == 2 else digits[1:]
    hours, minutes, seconds = (int(number[k : k + 2] or 0) for k in (0, 2, 4))
    if hours > 18 or minutes > 59 or seconds > 59:
        raise ValueError
    size = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -size if sign == "-" else size


def _given(cell: object) -> _Wall:
    """A date or time of Parquet."""
    if isinstance(cell, datetime):
        plain = cell.replace(tzinfo=None)
        moment = datetime(*plain.timetuple()[:6], plain.microsecond)
        return _Wall(moment, cell.utcoffset())
    if isinstance(cell, date):
        return _Wall(datetime.combine(cell, datetime.min.time()), None)
    raise ValueError


def _on_clock(walls: Sequence[_Wall], cells: Sequence[object], time_zone: str) -> Micros:
    """Instants of written times; all have an offset or none has."""
    import pandas as pd

    local = [row for row, wall in enumerate(walls) if wall.offset is None]
    if local and len(local) < len(walls):
        row = local[0] or next(k for k, wall in enumerate(walls) if wall.offset is not None)
        which = "no offset, others do" if row == local[0] else "an offset, others do not"
        reason = f"names {which}: it is not clear which clock they follow"
        raise BadTime(row, f"{shown_cell(cells[row])} {reason}")
    if not local:
        return np.array([(w.moment - _EPOCH - (w.offset or _US * 0)) // _US for w in walls])
    naive = pd.DatetimeIndex(np.array([w.moment for w in walls], dtype="datetime64[us]"))
    # No ticket is lost when the clocks change.
    first = np.ones(len(naive), dtype=np.bool_)
    placed = naive.tz_localize(time_zone, ambiguous=first, nonexistent="shift_forward")
    found: Micros = placed.as_unit("us").asi8
    return found


def utc(text: str) -> datetime:
    """A time as a datetime in UTC; see `instant`."""
    return datetime.fromtimestamp(instant(text), UTC)
