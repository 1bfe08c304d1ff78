"""Cells of exports as times, lengths of time, numbers and words: whole columns at once.

Times that nearly all have (ISO, ``29/2/2016 01:16``, ``2/29/2016 1:16 AM``, seconds since 1970) are
read by arrays, so that a million rows take seconds; the others one by one in
`twin.common.times`, which knows many more forms. A cell that cannot be read is a fault with its row
and its column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import ScenarioError
from twin.common.formulas import unguarded
from twin.common.tables import as_number, as_text, is_blank, one_line, shown_cell, trimmed
from twin.common.times import BadTime, instants
from twin.history.sheet import Place, fault

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Texts = "pd.Series[Any]"

# Words that programs and people write for nothing.
_NOTHING = ("nan", "nat", "null", "none", "n/a", "na", "-", "--", "undefined", "(blank)", "(empty)",
            "0000-00-00 00:00:00", "unassigned")  # fmt: skip
_ISO = r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?\s?(?:Z|[+-]\d\d:?\d\d)?)?$"
_OFFSET = r":.*(?:Z|[+-]\d\d:?\d\d)$"
_NUMBER = r"^[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$"
_DAY_OR_MONTH = r"^(?P<a>\d{1,2})[/-](?P<b>\d{1,2})[/-]\d"
_SLASHED = (
    r"^(?P<a>\d{1,2})(?P<s>[/.-])(?P<b>\d{1,2})[/.-](?P<Y>\d{4}|\d\d)"
    r"(?:,?\s+(?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d))?\s*(?P<half>[AaPp])?\.?[Mm]?\.?)?$"
)
_LONGEST_NAME = 200
_WORDS = re.compile(
    r"([\d.]+)\s*(weeks?|w|days?|d|hours?|hrs?|hr|h|minutes?|mins?|min|m|seconds?|secs?|sec|s)\b",
    re.I,
)
_SIZES = {"w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_CLOCK = re.compile(r"-?\d+(?::\d{1,2}){1,2}(?:\.\d+)?")
_SKIP = "leave such rows out with --skip-bad"
# From 1980 to 2100: no desk's tickets are older or later. Programs write 0 where they know no time,
# and 9999-12-31 where there is no end.
_FIRST_S, _LAST_S = 315_532_800.0, 4_102_444_800.0
_LONGEST_S = _LAST_S - _FIRST_S
# A column of numbers, but for some cells.
_NEARLY_ALL = 0.5
_FIRST_DAY, _LAST_DAY = pd.Timestamp(1970, 1, 1), pd.Timestamp(2101, 1, 1)
# Seconds, thousandths and millionths of seconds since 1970, told by their size.
_MS, _US = 1e11, 1e14
# Days since 1899-12-30, as spreadsheets count.
_SERIAL, _SERIAL_0 = (20_000.0, 80_000.0), 25_569.0


def texts(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Cells as texts without blanks at their ends; missing where they hold nothing."""
    if cells.dtype == "str":
        plain = cells.str.strip()
    else:
        plain = pd.Series([trimmed(as_text(cell)) for cell in cells], index=cells.index)
        plain = plain.astype("str")
    return plain.mask(plain.str.lower().isin(("", *_NOTHING)))


def names(plain: pd.Series[Any]) -> pd.Series[Any]:
    """Texts as names: on one line and short, as they become keys, titles and comments."""
    codes, forms = pd.factorize(plain)
    short = [one_line(unguarded(str(form))) for form in forms]
    short = [name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME - 1]}…"
             for name in short]  # fmt: skip
    if short == list(forms):
        return plain
    found = np.array([*short, None], dtype=object)[codes]
    return pd.Series(found, index=plain.index, dtype="str").replace("", None)


def nothing(cells: pd.Series[Any]) -> bool:
    """True if no cell holds anything; the first one that does ends the search."""
    return all(trimmed(as_text(cell)).lower() in ("", *_NOTHING) for cell in cells)


def day_first(columns: Iterable[pd.Series[Any]], where: Place) -> bool | None:
    """True if 03/04/2026 is in April, by the rows of all columns of times of a sheet together.

    None where no row tells.

    Raises
    ------
    ScenarioError
        If they contradict each other.
    """
    told: dict[bool, str] = {}
    for cells in columns:
        if cells.dtype != "str" and cells.dtype != object:
            continue
        plain = texts(cells).dropna().drop_duplicates()
        plain = plain[_matches(plain, _DAY_OR_MONTH)].reset_index(drop=True)
        if not len(plain):
            continue
        part = _extract(plain, _DAY_OR_MONTH)
        first, second = _whole(part["a"]), _whole(part["b"])
        for is_day, clear in ((True, (first > 12) & (second <= 12)),
                              (False, (second > 12) & (first <= 12))):  # fmt: skip
            if clear.any():
                told.setdefault(is_day, str(plain[int(np.argmax(clear))]))
    if len(told) == 2:
        both = " and ".join(shown_cell(cell) for cell in told.values())
        raise fault(where.file, f"day and month change places between its rows: {both}")
    return next(iter(told), None)


def times(
    cells: pd.Series[Any], zone: str, where: Place, days_first: bool | None = None
) -> tuple[Floats, bool]:
    """Cells as seconds since 1970, missing where they hold no time.

    Parameters
    ----------
    cells : Series
    zone : str
        Of times that name no offset. An hour that comes twice is the first one.
    where : Place
    days_first : bool, optional
        Whether 03/04/2026 is in April, from `day_first`.

    Returns
    -------
    array of float, shape (n,)
    bool
        Whether the times named no offset.

    Raises
    ------
    ScenarioError
        Naming row and column of a cell that is no time.
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return _placed(cells, zone)
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return _numbers(cells.to_numpy(dtype=np.float64, na_value=np.nan), zone)
    if cells.dtype == object and any(not isinstance(cell, str) for cell in cells):
        cells = _mixed(cells)
    plain = texts(cells)
    found = np.full(len(plain), np.nan)
    codes, forms = pd.factorize(plain)
    if not len(forms):
        return found, False
    each = pd.Series(np.asarray(forms, dtype=object), dtype="str")
    numbers = _matches(each, _NUMBER)
    if numbers.all():
        moments, local = _numbers(each.to_numpy(dtype=np.float64), zone)
    elif numbers.mean() > _NEARLY_ALL:
        k = int(np.argmin(numbers))
        raise where.fail(int(np.argmax(codes == k)), f"{shown_cell(each[k])} is no number, as the "
                         "other moments of the column are")  # fmt: skip
    else:
        moments, local = _written(each, codes, zone, where, days_first)
    found = np.where(codes >= 0, np.append(moments, np.nan)[codes], np.nan)
    return _known(found), local


def _known(moments: Floats) -> Floats:
    """Moments at which a desk may have been at work; all others are none."""
    sound = (moments >= _FIRST_S) & (moments < _LAST_S)
    return np.where(sound, moments, np.nan)


def _mixed(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Dates of Excel or numbers of JSON as texts that `times` reads back."""
    out = []
    for cell in cells:
        if hasattr(cell, "isoformat"):
            moment = hasattr(cell, "hour") and hasattr(cell, "year")
            out.append(cell.isoformat(sep=" ") if moment else cell.isoformat())
        else:
            out.append("" if is_blank(cell) else str(cell))
    return pd.Series(out, index=cells.index, dtype="str")


def _numbers(values: Floats, zone: str) -> tuple[Floats, bool]:
    inside = values[~np.isnan(values) & (values != 0)]
    if len(inside) and _SERIAL[0] <= inside.min() and inside.max() <= _SERIAL[1]:
        whole = np.round((values - _SERIAL_0) * 86_400)
        stamps = pd.Series(pd.to_datetime(whole, unit="s"))
        return _placed(stamps, zone)
    scale = np.where(values >= _US, 1e-6, np.where(values >= _MS, 1e-3, 1.0))
    return _known(values * scale), False


def _placed(stamps: pd.Series[Any], zone: str) -> tuple[Floats, bool]:
    """Dates and times of pandas as seconds since 1970."""
    local = stamps.dt.tz is None
    if local:
        # At the ends of the calendar no offset can be added.
        stamps = stamps.where(stamps.between(_FIRST_DAY, _LAST_DAY))
        first = np.ones(len(stamps), dtype=np.bool_)
        stamps = stamps.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    micros = stamps.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")
    found = micros.astype("int64").to_numpy() / 1e6
    return _known(np.where(micros.isna().to_numpy(), np.nan, found)), local


def _written(
    each: pd.Series[Any], codes: npt.NDArray[np.int64], zone: str, where: Place,
    days_first: bool | None,
) -> tuple[Floats, bool]:  # fmt: skip
    """Different written times as moments, and whether they name no offset."""

    def fail(k: int, why: str) -> ScenarioError:
        return where.fail(int(np.argmax(codes == k)), why, _SKIP)

    moments = np.full(len(each), np.nan)
    iso = _matches(each, _ISO)
    offset = _matches(each, _OFFSET)
    rest = ~iso
    if iso.any():
        zoned = offset & iso
        if zoned.any() and not zoned[iso].all():
            k = int(np.flatnonzero(iso & ~zoned)[0])
            raise fail(k, f"{shown_cell(each[k])} names no offset, others do: which clock is it?")
        fast = pd.to_datetime(each[iso].str.replace(",", "."), format="ISO8601", errors="coerce",
                              utc=bool(zoned.any()))  # fmt: skip
        moments[iso] = _placed(pd.Series(fast), zone)[0]
        rest[np.flatnonzero(iso)[pd.isna(fast).to_numpy()]] = True
    slashed = rest & _matches(each, _SLASHED) if rest.any() else rest
    if slashed.any():
        moments[slashed] = _slashed(each[slashed], zone, days_first, fail)
        rest &= ~slashed
    others = np.flatnonzero(rest)
    local = not offset.any()
    if len(others):
        written = each.iloc[others].tolist()
        try:
            moments[others] = instants(written, zone) / 1e6
        except BadTime as error:
            raise fail(int(others[error.row]), str(error)) from None
        local = local and not any(re.search(r"[+-]\d\d:?\d\d|UTC|GMT|Z", t) for t in written)
    return moments, local


def _arrow(plain: pd.Series[Any]) -> Any:
    """Texts as one array of Arrow; those of a large table come in several."""
    import pyarrow as pa

    found = pa.array(plain, pa.large_string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _matches(plain: pd.Series[Any], pattern: str) -> npt.NDArray[np.bool_]:
    """True for texts that a pattern fits, by Arrow's own machine: a million take a moment."""
    import pyarrow.compute as pc

    found = pc.match_substring_regex(_arrow(plain), pattern)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.bool_)


def _extract(plain: pd.Series[Any], pattern: str) -> dict[str, Any]:
    """Named parts of texts that a pattern fits; empty where a part is not there."""
    import pyarrow.compute as pc

    found = pc.extract_regex(_arrow(plain), pattern)
    return {field.name: found.field(k) for k, field in enumerate(found.type)}


def _whole(texts_of: Any) -> npt.NDArray[np.int64]:
    """Digits as numbers; nothing is 0."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digits = pc.if_else(pc.equal(texts_of, ""), "0", texts_of)
    return np.asarray(digits.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)


def _equal(texts_of: Any, word: str) -> npt.NDArray[np.bool_]:
    import pyarrow.compute as pc

    return np.asarray(pc.equal(texts_of, word).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _slashed(each: pd.Series[Any], zone: str, days_first: bool | None, fail: Any) -> Floats:
    part = _extract(each, _SLASHED)
    a, b, year, hour, minute, second = (_whole(part[name]) for name in "abYHMS")
    by_point = _equal(part["s"], ".")
    if days_first is None:
        unclear = np.flatnonzero(~by_point & (a != b) & (a <= 12) & (b <= 12))
        if len(unclear):
            k = int(each.index[unclear[0]])
            both = "no row tells which is the day and which the month"
            how = "say it with --day-first or --month-first"
            raise fail(k, f"{shown_cell(each[k])} may be two days: {both}; {how}")
        days_first = bool((a > 12).any())
    first = by_point | days_first
    day, month = np.where(first, a, b), np.where(first, b, a)
    year = np.where(year < 100, year + 2000, year)
    afternoon = _equal(part["half"], "p") | _equal(part["half"], "P")
    twelve = afternoon | _equal(part["half"], "a") | _equal(part["half"], "A")
    odd = (month < 1) | (month > 12) | (day < 1) | (hour > 23) | (minute > 59) | (second > 59)
    odd |= twelve & ((hour < 1) | (hour > 12))
    hour = np.where(twelve, hour % 12 + 12 * afternoon, hour)
    parts = {"year": year, "month": month, "day": day, "hour": hour, "minute": minute,
             "second": second}  # fmt: skip
    stamps = pd.to_datetime(pd.DataFrame(parts), errors="coerce")
    odd |= stamps.isna().to_numpy()
    if odd.any():
        k = int(each.index[np.flatnonzero(odd)[0]])
        raise fail(k, f"{shown_cell(each[k])} is no time that is understood")
    found, _ = _placed(stamps, zone)
    return found


def durations(cells: pd.Series[Any], unit_s: float, where: Place) -> Floats:
    """Cells as seconds.

    Numbers are in the unit; ``1:30`` is an hour and a half, or a minute and a half where the name
    of the column says mm:ss; ``1:30:00`` and ``2 days 3 hours`` are as they look.

    Raises
    ------
    ScenarioError
        Naming row and column of a cell that is no length of time.
    """
    if pd.api.types.is_numeric_dtype(cells.dtype):
        lengths: Floats = cells.to_numpy(dtype=np.float64, na_value=np.nan) * unit_s
        if (odd := ~(np.abs(lengths) <= _LONGEST_S) & ~np.isnan(lengths)).any():
            row = int(np.argmax(odd))
            raise where.fail(row, f"{shown_cell(cells.iloc[row])} is no length of time", _SKIP)
        return lengths
    if pd.api.types.is_timedelta64_dtype(cells.dtype):
        return np.asarray(cells.dt.total_seconds(), dtype=np.float64)
    plain = texts(cells)
    codes, forms = pd.factorize(plain)
    short = "mm:ss" in where.column.lower() or "m:s" in where.column.lower()
    found = np.full(len(forms), np.nan)
    for k, form in enumerate(forms):
        value = _duration(str(form), unit_s, short)
        if value is None or not abs(value) <= _LONGEST_S:
            row = int(np.argmax(codes == k))
            raise where.fail(row, f"{shown_cell(form)} is no length of time", _SKIP)
        found[k] = value
    return np.where(codes >= 0, np.append(found, np.nan)[codes], np.nan)


def _duration(text: str, unit_s: float, short: bool) -> float | None:
    value = as_number(text.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text)
                      else text.replace(",", "."))  # fmt: skip
    if value == value:
        return value * unit_s
    if _CLOCK.fullmatch(text):
        parts = [float(part) for part in text.lstrip("-").split(":")]
        sizes = (3600.0, 60.0, 1.0) if len(parts) == 3 else (60.0, 1.0) if short else (3600.0, 60.0)
        size = float(np.dot(parts, sizes[: len(parts)]))
        return -size if text.startswith("-") else size
    found = _WORDS.findall(text)
    left = _WORDS.sub("", text).replace("and", "").strip(" ,")
    if not found or left:
        return None
    return float(np.sum([float(number) * _SIZES[unit[0].lower()] for number, unit in found]))


def numbers(cells: pd.Series[Any], where: Place) -> Floats:
    """Cells as numbers.

    Raises
    ------
    ScenarioError
        Naming row and column of a cell that is none.
    """
    if pd.api.types.is_numeric_dtype(cells.dtype):
        plain, found = cells, cells.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        plain = texts(cells)
        found = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64)
    odd = ~np.isfinite(found) & plain.notna().to_numpy()
    if odd.any():
        row = int(np.argmax(odd))
        raise where.fail(row, f"{shown_cell(plain.iloc[row])} is no number", _SKIP)
    return found


def flags(cells: pd.Series[Any]) -> npt.NDArray[np.bool_]:
    """True for cells that say yes."""
    return texts(cells).str.lower().isin(("true", "1", "yes", "y", "t", "1.0")).to_numpy(dtype=bool)
