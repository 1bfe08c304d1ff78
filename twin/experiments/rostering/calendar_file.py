"""Shifts as a calendar that phones and mail programs read: iCalendar (RFC 5545)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import twin
from twin.experiments.rostering.plan import Plan
from twin.scenario import clock
from twin.scenario.clock import DAY_S
from twin.scenario.model import DAYS
from twin.scenario.units import parse_clock

# Octets of a line, its end not counted (RFC 5545, 3.1).
_LINE = 75


def calendar(plan: Plan) -> str:
    """All shifts of the run as events, in UTC, so that no time zone has to be described.

    An event a shift: its agent is the summary, its break the description.
    """
    scenario, start = plan.scenario, plan.scenario.midnight
    by_day = {day: plan.shifts[plan.shifts["day"] == day] for day in plan.shifts["day"].unique()}
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:-//support-desk-twin//{twin.__version__}//EN",
    ]
    stamp = _utc(start)
    last = int((scenario.horizon - 1) // DAY_S)
    for number in range(last + 1):
        day = scenario.start + timedelta(days=number)
        for row in by_day.get(DAYS[day.weekday()], plan.shifts[:0]).itertuples():
            begin, end = parse_clock(str(row.start)), parse_clock(str(row.end))
            end += DAY_S * (end <= begin)
            times = [clock.moment(day, at, start) for at in (begin, end)]
            if times[0] >= scenario.horizon:
                continue
            who = _text(str(row.agent))
            lines += [
                "BEGIN:VEVENT",
                f"UID:{day.isoformat()}-{row.Index}@support-desk-twin",
                f"DTSTAMP:{stamp}",
                *(f"{name}:{_utc(start.astimezone(UTC) + timedelta(seconds=at))}"
                  for name, at in zip(("DTSTART", "DTEND"), times, strict=True)),
                f"SUMMARY:{who}",
            ]  # fmt: skip
            if isinstance(row.break_start, str):
                lines.append(f"DESCRIPTION:break {row.break_start} to {row.break_end}")
            lines.append("END:VEVENT")
    lines.append("END:VCALENDAR")
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    """A text in which signs of the format are escaped (RFC 5545, 3.3.11)."""
    for sign in "\\;,":
        text = text.replace(sign, f"\\{sign}")
    return "\\n".join(text.splitlines())


def _folded(line: str) -> str:
    """A line of at most 75 octets, going on after a line end and a space."""
    parts, room = [""], _LINE
    for letter in line:
        size = len(letter.encode())
        if size > room:
            parts.append("")
            room = _LINE - 1
        parts[-1] += letter
        room -= size
    return "\r\n ".join(parts)
