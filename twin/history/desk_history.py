"""A desk's history as it was: tables of a run, the desk they are of, what is not known."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from twin.common.errors import DamagedFile, Fault, ScenarioError, TwinError
from twin.common.files import (
    put_back,
    read_sealed,
    whole_folder,
    write_sealed,
    write_text,
)
from twin.common.parquet import write_parquet
from twin.common.tables import shown_cell
from twin.common.toml import dump
from twin.experiments.results import Results, Run
from twin.history import as_tables
from twin.history.balance import filled
from twin.history.desk_added import with_added
from twin.history.gathered import FACTS, Understood
from twin.history.mapping_file import read_mapping
from twin.history.periods import kpis_by_period, periods
from twin.history.told import Told
from twin.history.traps import Trap
from twin.measures.figures import MAIN
from twin.measures.inputs import not_known, unset
from twin.measures.levels import levels
from twin.measures.sanity import sanity
from twin.measures.series import interval_length
from twin.records import storage
from twin.records.tables import RunLog
from twin.scenario.file import load
from twin.scenario.model import Scenario

MANIFEST = "history.json"
_VERSION = 1
# As long as a scenario may be.
_LONGEST_S = 36_525 * 86_400.0
DESK, MAPPING = "desk.toml", "mapping.toml"
_TEXTS = "texts"
# Tables that each history has; others may have come into the tables since.
_ALWAYS = ("tickets", "timeline", "visits", "ratings")
# What tells more of a tool's tickets than a row each.
_TELLS_MORE = {
    "Zendesk": "import its ticket metric events (JSON) beside the tickets",
    "Jira Service Management": "export JSON with the changelog",
    "ServiceNow": "import sys_audit beside the incidents",
    "Intercom": "export conversations with their parts",
    "HubSpot": "export tickets with the history of hs_pipeline_stage",
}
_HEAD = """The desk of this history, for its figures and its report; it is not to be played.
What was not in the export is not known: agents have no heads, and nothing is promised.
Give targets, shifts and costs here, and `twin report` counts with them:

  [targets.first_response]
  normal = "8h"
"""


@dataclass(frozen=True)
class HistoryResults(Results):
    """Results of a history: nothing in it is assumed, so only what is missing is told."""

    history: DeskHistory | None = field(default=None, repr=False)

    def unset(self, figures: Collection[str] = ()) -> tuple[str, ...]:
        """Main figures that are not known, a line for each reason."""
        return () if self.history is None else tuple(self.history.missing())


@dataclass(frozen=True)
class DeskHistory:
    """A stretch of a real desk's history.

    Attributes
    ----------
    log : RunLog
        The tables of a run. What the export does not hold is missing, and named in `log.unknown`.
    desk : Scenario
        The desk, as far as figures need it: start, time zone, pools. Not to be played.
    extra : dict of str to DataFrame
        keys, events and spells: own numbers, statuses and agents' codes of the desk; see
        `twin.history.as_tables.Made`.
    tool : str
        Title of the tool that it was exported from.
    files : tuple of dict
        Name, size and SHA-256 of each file that was read.
    understood : tuple of Understood
        Each column, with its meaning or why it was left out.
    notes : tuple of str
    traps : tuple of Trap
    gaps : tuple of date
        Days without data.
    mapping : dict
        Settings to read the next export alike.
    texts : DataFrame
        Texts and tags of tickets by their numbers; empty unless they were to be kept.
    read : dict
        The desk as the export gives it, before a person added to it; empty where it is `desk`.
    path : Path or None
        Its folder, if it was opened from one.
    """

    log: RunLog
    desk: Scenario
    extra: dict[str, pd.DataFrame]
    tool: str
    files: tuple[dict[str, Any], ...] = ()
    understood: tuple[Understood, ...] = ()
    notes: tuple[str, ...] = ()
    traps: tuple[Trap, ...] = ()
    gaps: tuple[date, ...] = ()
    mapping: dict[str, Any] = field(default_factory=dict)
    texts: pd.DataFrame = field(default_factory=pd.DataFrame)
    read: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @cached_property
    def _by_period(self) -> tuple[str, pd.DataFrame]:
        name, parts = periods(self.desk, self.log.horizon_s, self.gaps)
        return name, kpis_by_period(self.log, self.desk, parts)

    @property
    def periods(self) -> str:
        """Name of the parts that take the place of replications: weeks, days or history."""
        return self._by_period[0]

    @property
    def kpis(self) -> pd.DataFrame:
        """The table kpis of each part, with its number in the column replication."""
        return self._by_period[1]

    @cached_property
    def levels(self) -> pd.DataFrame:
        """The table levels; those of which nothing is known are left out."""
        # Finer than the pictures: their intervals go by the clock, also after it changed.
        every_s = min(interval_length(self.log.horizon_s), 3600.0)
        found = levels(self.log, self.desk, every_s)
        hidden = {
            "work": ("queue", "busy", "in hand"),
            "staffing": ("staffed", "away"),
            "resolutions": ("backlog",),
        }
        gone = [name for fact, names in hidden.items() if fact in self.log.unknown
                for name in names]  # fmt: skip
        return found[~found["level"].isin(gone)].reset_index(drop=True)

    def results(self) -> HistoryResults:
        """It as the results of a run, with its weeks or days in the place of replications."""
        count = int(self.kpis["replication"].nunique())
        manifest = {"scenario_as_run": self.desk.as_data()}
        run = Run(self.desk.name, self.desk.question, "complete", count, count, 0,
                  notes=self.notes, manifest=manifest)  # fmt: skip
        kpis = self.kpis.copy()
        kpis.insert(0, "scenario", self.desk.name)
        checks = sanity(self.log, self.desk)
        pools = checks["check"].str.startswith("Little's law, busy")
        queued = checks["check"] == "Little's law, queue"
        if "work" in self.log.unknown:
            checks = checks[~pools & ~queued]
        checks = checks.assign(scenario=self.desk.name, replication=0)
        logs = {(self.desk.name, 0): (self.log, self.levels)}
        return HistoryResults(kpis, storage.join([], "failures"), (run,), logs, checks,
                              history=self)  # fmt: skip

    @property
    def tells_work(self) -> bool:
        """True if it is known when agents began and ended their work."""
        return "work" not in self.log.unknown and bool(self.log.visits["started_s"].notna().any())

    @property
    def tells_statuses(self) -> bool:
        """True if changes of status are known, each with its moment."""
        return bool(self.extra["events"]["detail"].notna().any())

    @property
    def too_little(self) -> str:
        """Reason why no desk can be calibrated to it, with an export that would do; else empty."""
        return "" if self.tells_work or self.tells_statuses else self.neither

    @property
    def neither(self) -> str:
        """Sentence for a history in which neither work nor statuses are told."""
        more = _TELLS_MORE.get(self.tool, "a log of calls tells the one, an event log the other")
        return f"it tells neither when agents worked nor when statuses changed; {more}"

    def missing(self) -> list[str]:
        """Main figures that are not known, a line for each reason, with what would tell them."""
        lines: dict[str, list[str]] = {}
        gone = not_known(self.log.unknown)
        for name in MAIN:
            if name in gone:
                fact = gone[name]
                how = HINTS.get(fact, "")
                lines.setdefault(f"{FACTS[fact]}{how}", []).append(name)
        found = [f"not known: {', '.join(names)}; the export does not tell {why}"
                 for why, names in lines.items()]  # fmt: skip
        for one in unset(self.desk):
            names = [name for name in one.figures if name in MAIN and name not in gone]
            if not one.value and names:
                found.append(f"not known: {', '.join(names)}; set {one.key} in {DESK}")
        # What figures of waits rest on.
        return [*found, *filter(None, [Told.of(self.log).said])]

    def save(self, folder: str | Path, replace_old: bool = False) -> Path:
        """Write it into a folder, whole or not at all.

        Parameters
        ----------
        folder : str or Path
        replace_old : bool
            Whether an older history of that name is replaced; nothing else ever is. What a person
            added to its desk.toml is kept, and told in the notes.

        Raises
        ------
        ScenarioError
            If the folder is there already, or what was added does not fit the desk of today.
        OSError
            If it cannot be written.
        """
        folder = Path(folder)
        refuse_taken(folder, replace_old)
        written = self
        if folder.exists():
            read = self.read or self.desk.as_data()
            desk, said = with_added(read, folder / MANIFEST, folder / DESK)
            notes = tuple(dict.fromkeys([*self.notes, *said]))
            written = replace(self, desk=desk, notes=notes, read=read)
        with whole_folder(folder) as part:
            written._write(part)
        return folder

    def _write(self, folder: Path) -> None:
        for name in as_tables.LOG_TABLES:
            table = storage.as_arrow(name, 0, getattr(self.log, name))
            write_parquet(folder / f"{name}.parquet", table)
        frames = self.extra | ({_TEXTS: self.texts} if len(self.texts) else {})
        for name, frame in frames.items():
            # Plain columns: no note of pandas' own.
            table = pa.Table.from_pandas(frame, preserve_index=False)
            file = folder / f"{name}.parquet"
            write_parquet(file, table.replace_schema_metadata(None), private=name == _TEXTS)
        head = "".join(f"# {line}\n" if line else "#\n" for line in _HEAD.splitlines())
        write_text(folder / DESK, f"{head}\n{dump(self.desk.as_data())}\n")
        write_text(folder / MAPPING, f"{dump(self.mapping)}\n")
        write_sealed(folder / MANIFEST, {
            "version": _VERSION, "desk": self.read or self.desk.as_data(),
            "start": self.desk.start.isoformat(), "time_zone": self.desk.time_zone,
            "tables": {path.name: _digest(path) for path in sorted(folder.glob("*.parquet"))},
            "tool": self.tool, "horizon_s": self.log.horizon_s,
            "unknown": sorted(self.log.unknown), "files": list(self.files),
            "understood": [asdict(one) for one in self.understood], "notes": list(self.notes),
            "traps": [asdict(one) for one in self.traps],
            "gaps": [day.isoformat() for day in self.gaps],
        })  # fmt: skip


# Ways to tell a fact that the export does not hold.
HINTS = {
    "responses": " (--map first_reply=COLUMN)", "resolutions": " (--map solved=COLUMN)",
    "reopens": " (--map reopens=COLUMN, or a history of statuses)",
    "ratings": " (--map rating=COLUMN)",
    "staffing": f" (give shifts of [agents.NAME] in {DESK})",
}  # fmt: skip


def refuse_taken(folder: Path, replace_old: bool) -> None:
    """Refuse a folder that is there, unless it is a history that is to be replaced.

    Raises
    ------
    ScenarioError
    """
    put_back(folder)
    if not folder.exists():
        return
    mine = (folder / MANIFEST).is_file()
    if not mine:
        raise ScenarioError(str(folder), [Fault("", "is there already, and is no history; name a "
                                                "new folder")])  # fmt: skip
    if not replace_old:
        raise ScenarioError(str(folder), [Fault("", "is there already; name a new folder, or "
                                                "replace it with --replace")])  # fmt: skip


def holds_history(path: Path) -> bool:
    """True if a folder is a saved history."""
    put_back(path)
    return (path / MANIFEST).is_file()


def open_history(folder: str | Path) -> DeskHistory:
    """Open a saved history; `desk.toml` in it may have been changed since.

    Raises
    ------
    ScenarioError
        If it is none, or its desk is not valid.
    DamagedFile
        If a file of it is not as it was written.
    """
    folder = Path(folder)
    if not holds_history(folder):
        raise ScenarioError(str(folder), [Fault("", f"holds no history: no {MANIFEST} in it")])
    needed = [DESK, MAPPING, *(f"{n}.parquet" for n in (*_ALWAYS, *as_tables.EXTRA))]
    for name in needed:
        if not (folder / name).is_file():
            raise DamagedFile(folder, f"{name} is missing")
    try:
        told = read_sealed(folder / MANIFEST, "the manifest of a history")
        _check_manifest(folder, told)
        made: dict[str, Any] = {name: _read(folder, name) for name in as_tables.LOG_TABLES}
        extra = {name: storage.read_frame(folder / f"{name}.parquet") for name in as_tables.EXTRA}
        unknown = frozenset(map(str, told["unknown"])) & set(FACTS)
        desk = load(folder / DESK)
        _check_clock(folder / DESK, desk, told)
        staffed = any(pool.heads != 0 for pool in desk.agents.values())
        if staffed:
            unknown -= {"staffing"}
        log = RunLog(horizon_s=float(told["horizon_s"]), unknown=unknown, **made)
        texts = folder / f"{_TEXTS}.parquet"
        return DeskHistory(
            log, desk, extra, str(told["tool"]), tuple(told["files"]),
            tuple(Understood(**one) for one in told["understood"]), tuple(told["notes"]),
            tuple(Trap(**one) for one in told["traps"]),
            tuple(map(date.fromisoformat, told["gaps"])), read_mapping(folder / MAPPING),
            storage.read_frame(texts) if texts.exists() else pd.DataFrame(),
            told.get("desk", {}), folder,
        )  # fmt: skip
    except TwinError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFile(folder / MANIFEST, f"not the manifest of a history: {error}") from None


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_manifest(folder: Path, told: dict[str, Any]) -> None:
    """Refuse a manifest that cannot be used, and tables that are not those it was written with.

    Older manifests do not name their tables.
    """
    path = folder / MANIFEST
    if told["version"] != _VERSION:
        hint = f"made by another version of the twin ({shown_cell(told['version'])})"
        raise DamagedFile(path, f"cannot be read here: {hint}", "import the export again")
    horizon_s = float(told["horizon_s"])
    if not 0 < horizon_s <= _LONGEST_S:
        raise ValueError(f"horizon_s {shown_cell(told['horizon_s'])} is no length of a history")
    if not all(isinstance(note, str) for note in told["notes"]):
        raise ValueError("notes must be texts")
    for one in told["files"]:
        if not isinstance(one, dict) or not {"name", "bytes", "sha256"} <= set(one):
            raise ValueError("files must have name, bytes and sha256")
        int(one["bytes"])
    for name, digest in dict(told.get("tables", {})).items():
        # Texts of customers may be removed at any time.
        if name == f"{_TEXTS}.parquet" and not (folder / name).exists():
            continue
        if not (folder / name).is_file():
            raise DamagedFile(folder, f"{shown_cell(name)} is missing")
        if _digest(folder / name) != digest:
            why = "is not the table that this history was written with"
            raise DamagedFile(folder / name, why, "import the export again")


def _check_clock(path: Path, desk: Scenario, told: dict[str, Any]) -> None:
    """Refuse another start or time zone: the moments of the tables count from them."""
    now = {"start": desk.start.isoformat(), "time_zone": desk.time_zone}
    faults = [
        Fault(key, "the moments of the history count from it: it cannot be changed here", value,
              f"it was {told[key]}; import the export again, with --zone or --since")
        for key, value in now.items() if value != told.get(key, value)
    ]  # fmt: skip
    if faults:
        raise ScenarioError(str(path), faults)


def _read(folder: Path, table: str) -> pd.DataFrame:
    """A table; columns that came into the tables since it was written are missing."""
    path = folder / f"{table}.parquet"
    if not path.exists() and table not in _ALWAYS:
        return storage.empty(table)
    frame = storage.read_frame(path).drop(columns="replication")
    return filled(table, len(frame), {str(name): frame[name] for name in frame})
