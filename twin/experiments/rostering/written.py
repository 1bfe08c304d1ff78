"""A roster as files: tables, a page, a calendar, and a scenario that plays it."""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import pandas as pd

from twin.common.files import whole, write_text
from twin.common.formulas import harmless
from twin.common.toml import dump
from twin.experiments.rostering.calendar_file import calendar
from twin.experiments.rostering.plan import by_date
from twin.experiments.rostering.roster import Roster

INSTALL = "pip install 'support-desk-twin[xlsx]'"


def save(found: Roster, folder: Path, page: str) -> list[Path]:
    """Write the tables and the page into a folder, each file whole or not at all.

    With a plan also: shifts.csv (who works when), shifts.xlsx where XlsxWriter is there (the extra
    xlsx), shifts.ics (a calendar), roster.csv (a roster by date, as `agents.NAME.roster` reads it)
    and planned.toml (the scenario with the pool on these shifts).

    Returns
    -------
    list of Path
        Files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = found.needs.table if found.planned is None else found.planned
    texts = {"needs.csv": _csv(table), "roster.html": page}
    if found.plan is not None:
        scenario = found.plan.scenario
        texts |= {
            "shifts.csv": _csv(found.plan.shifts),
            "roster.csv": _csv(by_date(found.plan, found.pool)),
            "shifts.ics": calendar(found.plan),
            "planned.toml": dump(scenario.as_data()) + "\n",
        }
    for name, text in texts.items():
        write_text(folder / name, text)
    written = [folder / name for name in texts]
    if found.plan is not None and find_spec("xlsxwriter") is not None:
        path = folder / "shifts.xlsx"
        with whole(path) as part:
            part.write_bytes(_workbook({"shifts": found.plan.shifts, "needs": table}))
        written.append(path)
    return written


def _csv(frame: pd.DataFrame) -> str:
    return harmless(frame).to_csv(index=False)


def _workbook(frames: dict[str, pd.DataFrame]) -> bytes:
    """An Excel file with a sheet a frame; no text in it is a formula or a link."""
    file = BytesIO()
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with pd.ExcelWriter(file, engine="xlsxwriter", engine_kwargs={"options": options}) as book:
        for name, frame in frames.items():
            harmless(frame).to_excel(book, sheet_name=name, index=False)
    return file.getvalue()
