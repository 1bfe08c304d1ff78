"""Reading a desk's history from exported files, or opening a saved one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.tables import shown_cell
from twin.history import as_tables, traps
from twin.history.desk_history import DeskHistory, holds_history, open_history
from twin.history.gathered import Choices, Gathered
from twin.history.mapping_file import read_mapping
from twin.history.part import asked_moment
from twin.history.people import coded
from twin.history.readers.choose import gather
from twin.history.sheet import Sheet, fault
from twin.history.sheets import is_database, read_database, read_sheets
from twin.records import tables
from twin.scenario.model import PRIORITIES, Scenario, from_data
from twin.scenario.sections.individuals import MOST_IN_HAND

# Rows that were left out beyond these are counted, not named.
_MOST_NAMED = 20


def read_history(
    *paths: str | Path, zone: str | None = None, tool: str = "", since: str | None = None,
    until: str | None = None, columns: Mapping[str, str] | None = None,
    statuses: Mapping[str, str] | None = None, priorities: Mapping[str, str] | None = None,
    days_first: bool | None = None, keep_names: bool = False, texts: bool = False,
    skip_bad: bool = False,
    mapping: str | Path | None = None, confirm: Any = None,
) -> DeskHistory:  # fmt: skip
    r"""Read a desk's history from the files that its help desk exports, or a saved one.

    Parameters
    ----------
    *paths : str or Path
        Files of one desk: CSV, Parquet, XLSX, JSON, XES, the live desk's store (a file, or
        ``postgresql://HOST/NAME``). Or the folder of a saved history.
    zone : str, optional
        Time zone of the desk, and of times that name none; default UTC, which is told.
    tool : str, optional
        Name of the reader; by default the one whose columns are there.
    since, until : str, optional
        Times; only what happened between them is taken.
    columns : mapping of str to str, optional
        Columns by field of `twin.history.fields.FIELDS`, as ``{"created": "Opened on"}``.
    statuses : mapping of str to str, optional
        The twin's statuses by the desk's own.
    priorities : mapping of str to str, optional
        The twin's priorities by the desk's own, as ``{"2": "high"}``.
    days_first : bool, optional
        Whether 03/04/2026 is in April; needed only where no row tells.
    keep_names : bool
        Whether names of agents stay; else codes take their place.
    texts : bool
        Whether texts of customers are kept.
    skip_bad : bool
        Whether rows are left out, and told, instead of being a fault: those with more or fewer
        cells than the first one, a time, length of time or number that cannot be read, or no
        moment of creation; and those with less than no time, as a call that ended before it came.
    mapping : str or Path, optional
        The file mapping.toml of an earlier import; what is given here goes before it.
    confirm : callable, optional
        Asks about guesses; see `twin.history.gathered.Choices`.

    Raises
    ------
    ScenarioError
        Naming file, row and column of what cannot be read.

    Examples
    --------
    >>> import tempfile, twin
    >>> rows = ["Ticket,Opened on,Resolved on", "1,2026-03-02 09:00,2026-03-02 09:30",
    ...         "2,2026-03-02 10:00,2026-03-03 10:00"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = f"{folder}/tickets.csv"
    ...     with open(path, "w") as file:
    ...         print(*rows, sep="\n", file=file)
    ...     history = twin.read_history(path, zone="Europe/Rome")
    >>> history.log.tickets["resolved_s"].tolist()
    [34200.0, 122400.0]
    >>> figures = twin.measure(history.log, history.desk)
    >>> figures.query("kpi == 'resolution_mean'")["value"].tolist()
    [44100.0]
    """
    if len(paths) == 1 and not is_database(paths[0]) and holds_history(Path(paths[0])):
        return open_history(paths[0])
    if not paths:
        raise ScenarioError("the history", [Fault("", "name the files that were exported")])
    old = read_mapping(Path(mapping)) if mapping is not None else {}
    zone = zone or old.get("zone")
    try:
        where = ZoneInfo(zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = 'names look like "Europe/London"'
        raise ScenarioError(
            "--zone", [Fault("", f"no time zone {shown_cell(zone)}", hint=hint)]
        ) from None
    choices = Choices(
        zone=zone or "UTC", zone_given=zone is not None,
        days_first=old.get("days_first") if days_first is None else days_first,
        columns={**old.get("columns", {}), **(columns or {})},
        statuses={**old.get("statuses", {}), **(statuses or {})},
        priorities={**old.get("priorities", {}), **(priorities or {})},
        keep_names=keep_names, texts=texts, skip_bad=skip_bad, confirm=confirm,
    )  # fmt: skip
    _check_words(choices)
    sheets, told = list[Sheet](), list[dict[str, Any]]()
    before = {path: _state(Path(path)) for path in paths if not is_database(path)}
    for path in paths:
        if is_database(path):
            name, found_there = read_database(str(path))
            told.append({"name": name, "bytes": 0, "sha256": ""})
        else:
            found_there = read_sheets(Path(path))
            told.append(_file(Path(path)))
        sheets += found_there
    for sheet in sheets:
        sheet.bad.skip = skip_bad
    reader, gathered = gather(sheets, choices, tool or str(old.get("tool", "")))
    for path, state in before.items():
        if _state(Path(path)) != state:
            raise fault(str(path), "changed while it was read", "import it again")
    gathered.notes += [line for sheet in sheets for line in _left_out(sheet)]
    codes = coded(gathered, keep_names)
    bounds = [asked_moment(text, where, option)
              for text, option in ((since, "--since"), (until, "--until"))]  # fmt: skip
    made = as_tables.as_tables(gathered, choices, *bounds)
    gaps = traps.gap_days(made.log, made.stretch.start)
    found = traps.find_traps(gathered, made, choices, codes, gaps)
    settings = {"tool": reader, "zone": choices.zone, "days_first": choices.days_first,
                "columns": dict(gathered.columns),
                "statuses": dict(choices.statuses),
                "priorities": dict(choices.priorities)}  # fmt: skip
    return DeskHistory(
        made.log, _desk(made, choices.zone, gaps), made.extra, gathered.tool,
        tuple(told), tuple(gathered.understood),
        tuple(dict.fromkeys([*gathered.notes, *made.notes])), tuple(found), tuple(gaps), settings,
        _texts(gathered, made),
    )  # fmt: skip


def _left_out(sheet: Sheet) -> list[str]:
    """A sentence on the rows of a sheet that could not be read, if any."""
    why = dict(sorted(sheet.bad.why.items()))
    if not why:
        return []
    named = [f"row {row}, {said}" for row, said in list(why.items())[:_MOST_NAMED]]
    more = f"; and {len(why) - _MOST_NAMED} more" if len(why) > _MOST_NAMED else ""
    count = f"{len(why):,} row{'s' if len(why) > 1 else ''} of {Path(sheet.file).name}"
    return [f"Left out as unreadable, {count}: {'; '.join(named)}{more}."]


def _check_words(choices: Choices) -> None:
    for own, name in choices.statuses.items():
        if name and name not in tables.STATUSES:
            hint = f"allowed: {', '.join(tables.STATUSES)}, or nothing: no status"
            raise ScenarioError("--status", [Fault(own, "no status of the twin", name, hint)])
    for own, name in choices.priorities.items():
        if name not in PRIORITIES:
            hint = f"allowed: {', '.join(PRIORITIES)}"
            raise ScenarioError("--priority", [Fault(own, "no priority of the twin", name, hint)])


def _state(path: Path) -> tuple[int, ...]:
    """Numbers that differ when another file, or another content, is there."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _file(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _desk(made: as_tables.Made, zone: str, gaps: Sequence[date]) -> Scenario:
    """The desk as its figures need it; heads that nobody told are none: nothing rests on them."""
    log = made.log
    came = log.tickets["arrived_s"].to_numpy() >= 0
    days = log.horizon_s / 86_400 - len(gaps)
    rate = int(came.sum()) / max(days, 1e-3) / 24
    pools: dict[str, dict[str, Any]] = {}
    worked = (log.visits["ended_s"] - log.visits["started_s"]).to_numpy(dtype=np.float64)
    for name in dict.fromkeys(made.pools.values()):
        mine = worked[(log.visits["pool"] == name).to_numpy()]
        mine = mine[~np.isnan(mine)]
        mean = float(mine.mean()) if len(mine) else 0.0
        handle = {"distribution": "constant", "value": f"{round(mean, 3)}s"}
        pools[name] = {"heads": 0, "handle_time": handle}
        if (most := _most_in_hand(log.visits[(log.visits["pool"] == name).to_numpy()])) > 1:
            pools[name]["concurrency"] = min(most, MOST_IN_HAND)
    return from_data({
        "name": "history", "question": "What happened at the desk?",
        "start": made.stretch.start.date().isoformat(), "time_zone": zone,
        "horizon": f"{max(log.horizon_s, 1.0):.6f}s", "replications": 1,
        "arrivals": {"rate": f"{max(rate, 1e-9):.6g}/h"}, "agents": pools,
    })  # fmt: skip


def _most_in_hand(visits: pd.DataFrame) -> int:
    """Most tickets that one agent had in hand at once, as far as it is told who worked."""
    known = visits[visits["agent"].notna().to_numpy() & visits["started_s"].notna().to_numpy()]
    if not len(known):
        return 0
    ends = known["ended_s"].fillna(np.inf).to_numpy()
    at = np.concatenate([known["started_s"].to_numpy(), ends])
    change = np.repeat([1, -1], len(known))
    agent = np.tile(known["agent"].to_numpy(), 2)
    # Who ends one and begins the next at the same moment has one in hand.
    order = np.lexsort((change, at, agent))
    return int(np.cumsum(change[order]).max())


def _texts(gathered: Gathered, made: as_tables.Made) -> pd.DataFrame:
    if not len(gathered.texts):
        return pd.DataFrame()
    keys = made.extra["keys"]
    numbers = pd.Series(keys["ticket_id"].to_numpy(), index=keys["key"].to_numpy())
    found = gathered.texts.assign(ticket_id=numbers.reindex(gathered.texts["id"]).to_numpy())
    found = found[found["ticket_id"].notna()].astype({"ticket_id": "int32"})
    return found.drop(columns="id").sort_values("ticket_id", ignore_index=True)
