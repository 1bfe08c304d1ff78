"""Days of a history: those that are tested, those that came before, and weeks of both."""

from __future__ import annotations

import re
from datetime import date, timedelta

from twin.common.errors import Fault, ScenarioError

# Of the days of a history, the part that is tested where nobody says which.
_TESTED = 0.25
WEEK = 7
FEWEST_WEEKS = 4


def tested(text: str | None, days: list[int]) -> list[int]:
    """Days of the test: those that a text names, else the last quarter in whole weeks.

    Parameters
    ----------
    text : str or None
        A month (2026-10), a day and all after it (2026-10-12), or two days, the first and the last
        (2026-10-12..2026-10-25).
    days : list of int
        Ordinals of all days with data.

    Raises
    ------
    ScenarioError
        If the text is none of these, or no day with data lies in it.

    Examples
    --------
    >>> first = date(2026, 9, 1).toordinal()
    >>> october = tested("2026-10", list(range(first, first + 90)))
    >>> len(october), len(tested(None, list(range(first, first + 61))))
    (31, 14)
    """
    if not days:
        raise ScenarioError("the history", [Fault("", "holds no whole day with data")])
    if text is None:
        length = max(WEEK, round(len(days) * _TESTED / WEEK) * WEEK)
        first = days[-1] - length + 1
        # Of a history this short one half is left for training.
        return [day for day in days if day >= max(first, days[len(days) // 2])]
    start, end = _named(text.strip(), days[-1])
    found = [day for day in days if start <= day <= end]
    if not found:
        why = f"no whole day with data lies in it; the history holds {in_words(days)}"
        raise ScenarioError("the history", [Fault("--test", why, text)])
    return found


def _named(text: str, last: int) -> tuple[int, int]:
    hint = "give a month (2026-10), a first day (2026-10-12) or two (2026-10-12..2026-10-25)"
    try:
        if re.fullmatch(r"\d{4}-\d\d", text, re.ASCII):
            first = date.fromisoformat(f"{text}-01")
            after = (first + timedelta(days=31)).replace(day=1)
            return first.toordinal(), after.toordinal() - 1
        ends = [date.fromisoformat(part.strip()).toordinal() for part in text.split("..")]
        if len(ends) > 2:
            raise ValueError
    except ValueError:
        raise ScenarioError("the history", [Fault("--test", "is no time", text, hint)]) from None
    if ends != sorted(ends):
        raise ScenarioError("the history", [Fault("--test", "ends before it begins", text, hint)])
    return ends[0], ends[1] if len(ends) == 2 else last


def missing(text: str | None, test: list[int]) -> int:
    """Number of days that a text names and that the test has not, as they have no data.

    Where a text names a first day only, the test ends with the last day that there is; where there
    is no text, none is missing.
    """
    if text is None:
        return 0
    start, end = _named(text.strip(), test[-1])
    return end - start + 1 - len(test)


def before(days: list[int], test: list[int]) -> list[int]:
    """Training: the days with data before the test."""
    return [day for day in days if day < test[0]]


def last_of(days: list[int], like: list[int]) -> list[int]:
    """The last days, over as long a stretch as another one."""
    if not days:
        return []
    first = days[-1] - (like[-1] - like[0])
    return [day for day in days if day >= first]


def weeks(days: list[int], test: list[int]) -> list[list[int]]:
    """Weeks of seven days from the first of the test on, and before it until there are four.

    A week begins on the weekday on which the test does. One week is always left before the first
    of them. Weeks with fewer than four days with data are left out.
    """
    there = set(days)
    found = []
    at = test[0]
    while at <= test[-1]:
        found.append([day for day in range(at, min(at + WEEK, test[-1] + 1)) if day in there])
        at += WEEK
    at = test[0] - WEEK
    while len(found) < FEWEST_WEEKS and at - WEEK >= days[0]:
        found.insert(0, [day for day in range(at, at + WEEK) if day in there])
        at -= WEEK
    return [week for week in found if len(week) > WEEK // 2]


def in_words(days: list[int]) -> str:
    """Days as people say them.

    Examples
    --------
    >>> in_words([date(2026, 10, k).toordinal() for k in (1, 2, 3)])
    '2026-10-01 to 2026-10-03 (3 days)'
    """
    first, last = date.fromordinal(days[0]), date.fromordinal(days[-1])
    return f"{first} to {last} ({len(days)} days)" if len(days) > 1 else f"{first} (1 day)"
