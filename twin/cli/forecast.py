"""The command ``twin forecast``: the arrivals ahead of a history, with bands."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from twin.cli.terminal import (
    BAD_INPUT,
    Json,
    fail,
    out,
    plain_errors,
    print_json,
    records,
    size_of,
)

if TYPE_CHECKING:
    from twin.history.forecast.ahead import Forecast

_DAY_S = 86_400.0
_NEXT = "what if 30 % more come: --set arrivals.scale=1.3"


def register(app: typer.Typer) -> None:
    """Add the command to `twin`."""
    app.command("forecast")(forecast_arrivals)


def forecast_arrivals(
    history: Annotated[
        Path, typer.Argument(help="Folder of a history (see `twin import`).", show_default=False)
    ],
    ahead: Annotated[
        str, typer.Option(metavar="TIME", help="Whole days ahead, as 28d.")
    ] = "28d",
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DATE", help="Measure the scenario from that day on; those "
                     "before it are played.", show_default=False),
    ] = None,
    holidays: Annotated[
        list[str] | None,
        typer.Option("--holiday", metavar="DATE[=SHARE]", help="A holiday ahead, with its share of "
                     "the usual arrivals, as 2026-12-25=20%; without: as the history's were.",
                     show_default=False),
    ] = None,
    desk: Annotated[
        Path | None,
        typer.Option(help="Scenario file of the desk (see `twin calibrate`).", show_default=False),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option("--out", help="Scenario file that plays the days ahead at the desk.",
                     show_default=False),
    ] = None,
    page: Annotated[Path, typer.Option(help="The page.")] = Path("forecast.html"),
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Know only what happened from then on.",
                     show_default=False),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Know only what happened until then.",
                     show_default=False),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a scenario that is there.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Forecast the arrivals ahead of a history, with bands that were tested on it.

    Level, growth, days of the week and holidays, as bands of 80 and 95 %. With --desk and --out, a
    scenario whose replications play ways in which they may go: its intervals hold luck and the
    forecast, told apart.
    """
    with plain_errors("--out"):
        from twin.common.files import write_text
        from twin.history.desk_history import open_history
        from twin.history.forecast.ahead import forecast
        from twin.history.forecast.written import write_forecast
        from twin.history.part import part_of
        from twin.report.forecast import page as page_of

        if (to is None) != (desk is None):
            hint = "--desk says at which desk, --out where the scenario is written: give both"
            fail(f"{'--out' if desk else '--desk'}: is missing; {hint}", BAD_INPUT)
        if first is not None and to is None:
            hint = "it is for the scenario: give --desk and --out, too"
            fail(f"--from: there is no scenario to be measured from that day on; {hint}", BAD_INPUT)
        days = size_of(ahead, "s", "--ahead") / _DAY_S
        if days != int(days):
            fail(f"--ahead: must be whole days, as 28d, not {ahead}", BAD_INPUT)
        begin = None if first is None else _date(first, "--from")
        known = part_of(open_history(history), since, until)
        found = forecast(known, int(days), dict(map(_holiday, holidays or [])))
        if to is not None and desk is not None:
            write_forecast(found, desk, to, begin, replace)
        write_text(page, page_of(found, history, to))
        if as_json:
            print_json(_as_data(found, to, page))
            return
        _tell(found)
        out.print(f"page: {page}", soft_wrap=True)
        if to is not None:
            from twin.common.text import command

            out.print(f"scenario: {to}", soft_wrap=True)
            out.print(f"next: {command('twin', 'run', to)} ({_NEXT})", soft_wrap=True)


def _date(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f'{option}: must be a day such as "2026-12-25", not "{text}"', BAD_INPUT)
        raise AssertionError from None


def _holiday(text: str) -> tuple[date, float]:
    day, sign, share = text.partition("=")
    at = _date(day.strip(), "--holiday")
    if not sign:
        return at, math.nan
    try:
        value = float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        fail(f'--holiday: its share must be as 20% or 0.2, not "{share}"', BAD_INPUT)
    return at, value


def _tell(found: Forecast) -> None:
    weeks = found.by_week()
    table = Table("days", box=None, pad_edge=False, header_style="bold")
    for head in ("tickets expected", "80 % band", "95 % band"):
        table.add_column(head, justify="right")
    for row in records(weeks):
        whole = row["days"] == len(found.days) and len(weeks) > 2
        label = f"all {row['days']} days" if whole else _stretch(row["first"], row["days"])
        table.add_row(
            label,
            f"{row['expected']:,.0f}",
            f"{row['low80']:,.0f} to {row['high80']:,.0f}",
            f"{row['low95']:,.0f} to {row['high95']:,.0f}",
        )
        if len(weeks) == 2:
            break
    out.print(table)
    out.print(found.basis, soft_wrap=True)
    out.print(str(found.held), soft_wrap=True)
    for line in found.said:
        out.print(f"look out: {line}", soft_wrap=True)


def _stretch(first: date, days: int) -> str:
    return f"{first} to {first + timedelta(days=days - 1)}"


def _as_data(found: Forecast, to: Path | None, page: Path) -> dict[str, Any]:
    return {
        "scenario": None if to is None else str(to),
        "page": str(page),
        "days": [row | {"day": str(row["day"])} for row in records(found.by_day())],
        "weeks": [
            row | {"first": str(row["first"]), "last": str(row["last"])}
            for row in records(found.by_week())
        ],
        "growth_a_week": found.fit.growth,
        "back_test": {
            "origins": found.held.origins,
            "days": found.held.days,
            "held80": found.held.days80,
            "held95": found.held.days95,
            "totals": found.held.totals,
            "totals80": found.held.totals80,
            "totals95": found.held.totals95,
        },
        "said": list(found.said),
    }
