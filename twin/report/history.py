"""The page of a desk's history: figures and pictures as of a run, and how the export was read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from twin.common.html import Html, table, tag, with_code
from twin.common.text import command
from twin.history.desk_history import DESK, DeskHistory
from twin.measures import series
from twin.report import frame, numbers, pictures, plots
from twin.report.answer import of_history
from twin.report.source import Source
from twin.scenario import clock

if TYPE_CHECKING:
    from twin.report.pictures import Picture

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Days without data beyond these are counted, not named.
_MOST_DAYS = 12


def page(history: DeskHistory) -> str:
    """A report of a history as HTML; see `twin.report.write`."""
    source = source_of(history)
    return frame.frame("History", [history.desk.question], list(_parts(history, source)),
                       f"from an export of {history.tool}")  # fmt: skip


def source_of(history: DeskHistory) -> Source:
    """A history as the source of figures and pictures of a run."""
    results = history.results()
    return Source(results, results.runs[0], results.summary(), averaged=False, gaps=_gaps(history))


def _gaps(history: DeskHistory) -> list[tuple[float, float]]:
    """Bounds of the days without data, in seconds since the start."""
    start = history.desk.midnight
    return [
        (clock.moment(day, 0.0, start), clock.moment(day + timedelta(days=1), 0.0, start))
        for day in history.gaps
    ]


def _parts(history: DeskHistory, source: Source) -> Iterator[frame.Part]:
    came = int((history.log.tickets["arrived_s"] >= 0).sum())
    yield frame.answer(of_history(source, came, history.periods), _intervals(history, source))
    if history.traps:
        rows = [tag("li", tag("strong", trap.name), f": {_percent(trap.said)}")
                for trap in history.traps]  # fmt: skip
        yield "traps", "Look out", [tag("ul", *rows)]
    yield "figures", "Key figures and targets", _figures(history, source)
    drawn = [*_week(history), *pictures.of_run(source, "history")]
    yield "pictures", "In pictures", [frame.figures(drawn)]
    yield "columns", "How the export was read", _columns(history)
    yield "checks", "Data quality and checks", _checks(history)
    yield "again", "Read it again", _again(history)


def _intervals(history: DeskHistory, source: Source) -> str:
    count = source.run.whole
    if history.periods == "history":
        return "Too short for intervals: they take two whole days, or four whole weeks."
    name = history.periods
    text = (
        f"± is the 95 % interval over {count} whole {name}, as if each were as good as any other "
        "and none followed from the one before it. "
    )
    if name == "weeks":
        text += "A season, or a backlog that lasts for weeks, makes it too narrow."
    else:
        text += (
            "Days differ by weekday, which makes it wide; fewer than four whole weeks are there."
        )
    return (
        f"{text} Figures of tickets go by the {name.removesuffix('s')} in which they came, and "
        "count what had become of them by the end of the history."
    )


def _figures(history: DeskHistory, source: Source) -> list[Html]:
    parts = numbers.key_figures([source])
    if history.periods != "history":
        each = history.periods.removesuffix("s")
        parts.insert(0, tag("p", f"Arrivals are those of a {each}.", class_="small"))
    return parts


def _week(history: DeskHistory) -> Iterator[Picture]:
    week = series.arrivals_by_hour(history.log.tickets, history.desk, history.gaps)
    known = week.dropna(subset="mean")
    if not len(known):
        return
    top = known.iloc[int(known["mean"].argmax())]
    alt = (
        f"Heat map by day and hour of arrival. Most come on {_DAYS[int(top['day'])]} in the hour "
        f"from {int(top['hour']):02d}:00, {top['mean']:.3g} on average."
    )
    yield pictures.drawn("history-week", "Tickets an hour, by hour of arrival", alt,
                         lambda ax: plots.arrivals_by_hour(week, ax), 2.5)  # fmt: skip


def _columns(history: DeskHistory) -> list[Html]:
    read = [[one.column, one.field, one.how] for one in history.understood if one.field]
    left = [[one.column, one.how] for one in history.understood if not one.field]
    parts = [
        tag("p", f"Read as {history.tool}. Columns that are guessed deserve a look; "
                 "--map says otherwise."),
        table(["column", "understood as", "how"], read, "Columns that were read"),
    ]  # fmt: skip
    if left:
        whole = table(["column", "why"], left, "Columns that were left out")
        parts.append(tag("details", tag("summary", f"{len(left)} columns left out"), whole))
    return parts


def _checks(history: DeskHistory) -> list[Html]:
    parts = [tag("p", _percent(note)) for note in history.notes]
    if history.gaps:
        days = [day.isoformat() for day in history.gaps]
        more = f" and {len(days) - _MOST_DAYS} more" if len(days) > _MOST_DAYS else ""
        parts.append(tag("p", f"Days without data: {', '.join(days[:_MOST_DAYS])}{more}."))
    rows = [
        [row["check"], f"{row['expected']:.6g}", f"{row['found']:.6g}",
         tag("span", "holds", class_="ok") if row["ok"]
         else tag("span", "does not hold", class_="bad")]
        for row in history.results().sanity().to_dict("records")
    ]  # fmt: skip
    # One row a pool says nothing new where all hold.
    if len(rows) > _MOST_DAYS and history.results().sanity()["ok"].all():
        rows = rows[:3]
    head = ["check", "expected", "found", "verdict"]
    return [*parts, table(head, rows, "Does it add up?", numbers=True)]


def _again(history: DeskHistory) -> list[Html]:
    names = [str(file["name"]) for file in history.files]
    # Replacing goes by the mapping that is kept in the folder: zone, columns, tool.
    line = command("twin", "import", *names, "--out", history.path or "history", "--replace")
    rows = [
        [str(f["name"]), f"{int(f['bytes']):,} bytes", tag("code", str(f["sha256"])[:16])]
        for f in history.files
    ]
    text = (
        "Where the export lies in another folder, name it with that. "
        f"Targets, shifts and costs that you add to {DESK} in the folder of the history count in "
        "the next report."
    )
    return [tag("pre", line, class_="text"), tag("p", text),
            table(["file", "size", "SHA-256"], rows, "What it was read from")]  # fmt: skip


def _percent(text: str) -> Html:
    return with_code(text.replace("%", " %"))
