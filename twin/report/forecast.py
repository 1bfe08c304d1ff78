"""The page of a forecast: what comes, pictures with bands, weeks and days, what it rests on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twin.common.html import Html, html, table, tag
from twin.common.text import command
from twin.report import frame
from twin.report.pictures import Picture, drawn
from twin.report.plots import forecast as plots

if TYPE_CHECKING:
    from twin.history.forecast.ahead import Forecast

# Days and weeks of the history that are drawn.
_DAYS, _WEEKS = 42, 26


def page(found: Forecast, history: Path, scenario: Path | None = None) -> str:
    """A forecast as HTML.

    Parameters
    ----------
    found : Forecast
    history : Path
        Its folder, for the command that makes the page again.
    scenario : Path, optional
        The file that plays it.
    """
    question = f"How many tickets come from {found.days[0]} to {found.days[-1]}?"
    parts = list(_parts(found, history, scenario))
    return frame.frame("Arrivals ahead", [question], parts, "from a desk's history")


def _parts(found: Forecast, history: Path, scenario: Path | None) -> Iterator[frame.Part]:
    weeks = found.by_week()
    whole = weeks.iloc[-1]
    said = [
        f"About {whole['expected']:,.0f} tickets in {len(found.days)} days: "
        f"{whole['low80']:,.0f} to {whole['high80']:,.0f} with a chance of 80 %, "
        f"{whole['low95']:,.0f} to {whole['high95']:,.0f} with one of 95 %."
    ]
    yield frame.answer(said, str(found.held))
    if found.said:
        yield "look-out", "Look out", [tag("ul", *(tag("li", _percent(one)) for one in found.said))]
    yield "pictures", "In pictures", [frame.figures(list(_pictures(found)))]
    head = ["", "expected", "80 % band", "95 % band"]
    stretches = [
        [f"{row['first']} to {row['last']}" if row["days"] > 1 else str(row["first"]), *_cells(row)]
        for row in weeks.iloc[:-1].to_dict("records")
    ]
    stretches.append([f"all {len(found.days)} days", *_cells(dict(whole))])
    days = [
        [f"{row['day']:%a} {row['day']}{' (holiday)' if row['holiday'] else ''}", *_cells(row)]
        for row in found.by_day().to_dict("records")
    ]
    folded = tag(
        "details", tag("summary", "each day"), table(head, days, "Tickets by day", numbers=True)
    )
    tables = [table(head, stretches, "Tickets by week ahead", numbers=True), folded]
    yield "numbers", "Weeks and days", tables
    yield "basis", "What it rests on", list(_basis(found, history, scenario))


def _cells(row: dict[object, object] | dict[str, object]) -> list[str]:
    one = {str(key): value for key, value in row.items()}
    return [
        f"{one['expected']:,.0f}",
        f"{one['low80']:,.0f} to {one['high80']:,.0f}",
        f"{one['low95']:,.0f} to {one['high95']:,.0f}",
    ]


def _pictures(found: Forecast) -> Iterator[Picture]:
    seen = pd.DataFrame({"at": pd.to_datetime(list(found.seen.days)), "tickets": found.seen.totals})
    weeks = found.by_week().iloc[:-1]
    weeks = weeks[weeks["days"] == 7]
    before = _weeks_before(seen, pd.Timestamp(found.days[0]))
    if len(weeks) and len(before):
        ahead = weeks.assign(at=pd.to_datetime(weeks["first"]))
        yield drawn(
            "weeks-picture",
            "Week by week",
            f"Tickets of whole weeks, counted back from {found.days[0]}: first those that came, "
            "then in blue those expected, with their bands. A week stands at its first day.",
            lambda ax: plots.arrivals_ahead(before[-_WEEKS:], ahead, ax, each="week"),
        )
    by_day = found.by_day()
    days = by_day.assign(at=pd.to_datetime(by_day["day"]))
    # On days on which the desk is closed there is nothing to draw.
    days[days["high95"] == 0] = days[days["high95"] == 0].assign(
        **dict.fromkeys(("expected", "low95", "low80", "high80", "high95"), np.nan)
    )
    yield drawn(
        "days-picture",
        "Day by day",
        f"The last {min(_DAYS, len(seen))} days with data, and the days ahead with their bands. "
        "Single days vary more than weeks, by luck alone.",
        lambda ax: plots.arrivals_ahead(_with_gaps(seen)[-_DAYS:], days, ax, each="day"),
    )


def _weeks_before(seen: pd.DataFrame, first: pd.Timestamp) -> pd.DataFrame:
    """Whole weeks back from a day: those of which all days have data on which the desk is open."""
    open_days = seen["at"].dt.day_of_week.nunique()
    back = (first - seen["at"]).dt.days - 1
    week = seen.assign(week=back // 7).groupby("week")["tickets"].agg(["sum", "size"])
    whole = week[week["size"] == open_days].sort_index(ascending=False)
    at = [first - pd.Timedelta(days=7 * (int(k) + 1)) for k in whole.index]
    return pd.DataFrame({"at": at, "tickets": whole["sum"].to_numpy()})


def _with_gaps(seen: pd.DataFrame) -> pd.DataFrame:
    days = pd.date_range(seen["at"].iloc[0], seen["at"].iloc[-1])
    return seen.set_index("at").reindex(days).rename_axis("at").reset_index()


def _basis(found: Forecast, history: Path, scenario: Path | None) -> Iterator[Html]:
    yield tag("p", _percent(found.basis))
    if found.unusual:
        days = ", ".join(map(str, found.unusual))
        yield tag("p", f"Far fewer tickets than their weekday has came on {days}: these days are "
                       "left out, and say only what holidays are like.")  # fmt: skip
    if found.missing:
        yield tag("p", f"Days without data: {', '.join(map(str, found.missing))}.")
    yield tag(
        "p",
        "The level moves in random steps, and may rise or fall by the same share each week. How "
        "far days vary beyond chance, how large the steps are and whether there is growth is not "
        "chosen: all settings count by how well they foretold each day of the history from those "
        "before it. Holidays ahead are not known unless they are named.",
    )
    if scenario is not None:
        yield tag("p", "A scenario plays these days; its intervals hold luck and the forecast, "
                       "and say how much is of each.")  # fmt: skip
        yield tag("pre", command("twin", "run", scenario), class_="text")
    again = command("twin", "forecast", history, "--ahead", f"{len(found.days)}d")
    yield tag("pre", again, class_="text")


def _percent(text: str) -> Html:
    return html(text.replace("%", " %").replace("  %", " %"))
