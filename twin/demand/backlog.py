"""The opening backlog: tickets that are open when a run starts, each with its age."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import nearest
from twin.common.tables import Table
from twin.demand.luck import Floats, Ints, Places, Stream
from twin.demand.recorded import OPENING_STATUSES, read_recorded
from twin.scenario.model import PRIORITIES, Scenario

# Their luck: a layer that no load reaches, so that theirs is nobody else's.
LAYER = 2**31 - 1
_YOUNGEST_S = 1e-6


@dataclass(frozen=True)
class Opening:
    """Tickets that are open when a run starts, the oldest first; columns of shape (n,).

    Attributes
    ----------
    arrived_s : array of float
        Moments before the start, below 0.
    places : Places
        Where each ticket's luck lies.
    category, priority, channel : array of int or None
        Where a file says them; a channel of -1 is not known.
    escalated : array of bool
        True for those that wait for an agent.
    own : array of int or None
        Number of the status of a workflow that each is in; -1 where it is not known.
    since_s : list of float
        Moment at which each came into that status, not above 0; NaN where it is not known.
    """

    arrived_s: Floats
    places: Places
    category: Ints | None
    priority: Ints | None
    channel: Ints | None
    escalated: npt.NDArray[np.bool_]
    own: Ints | None = None
    since_s: list[float] = field(default_factory=list)


def opening(
    scenario: Scenario, replication: int, categories: tuple[str, ...], channels: tuple[str, ...]
) -> Opening:
    """The tickets of a scenario's backlog.

    Parameters
    ----------
    scenario : Scenario
        With a section backlog.
    replication : int
    categories, channels : tuple of str
        That tickets can have; without channels a file's are not read.

    Raises
    ------
    ScenarioError
        If its file is unusable.
    """
    backlog = scenario.backlog
    assert backlog is not None
    if backlog.file is not None:
        return _recorded(Path(backlog.file), scenario, categories, channels)
    assert backlog.tickets is not None
    assert backlog.age is not None
    n = backlog.tickets
    rows = Places(np.full(n, LAYER, dtype=np.int32), np.arange(n, dtype=np.int32))
    age_s = backlog.age.quantile(rows.uniform(scenario.seed, replication, Stream.BACKLOG_AGE))
    # Before the start, however young: what arrives in the run is counted as such.
    age_s = np.maximum(age_s, _YOUNGEST_S)
    order = np.argsort(-age_s, kind="stable")
    places = Places(rows.layer[order], rows.row[order])
    return Opening(-age_s[order], places, None, None, None, np.zeros(n, dtype=np.bool_))


def _recorded(
    path: Path, scenario: Scenario, categories: tuple[str, ...], channels: tuple[str, ...]
) -> Opening:
    workflow = scenario.workflow
    # Without a workflow no status lasts for a time of its own.
    since = [] if workflow is None else ["status_since"]
    known = ("category", "priority", "status", *(["channel"] if channels else []), *since)
    statuses = (OPENING_STATUSES, "Open") if workflow is None else (workflow.open_statuses, "")
    table, frame, _ = read_recorded(str(path), known, scenario.start, scenario.time_zone, statuses)
    time_s = frame["time_s"].to_numpy(dtype=np.float64)
    late = int((time_s >= 0).sum())
    if late:
        reason = f"{late:,} of its timestamps are not before the start of the run"
        raise table.fail(f"{reason}, {scenario.start}: these tickets arrive in it")
    n = len(frame)
    since_s = _since(table, frame) if "since_s" in frame else []
    own: Ints | None = None
    escalated = np.zeros(n, dtype=np.bool_)
    if "status" in frame and workflow is not None:
        numbers = {"": -1} | {name: k for k, name in enumerate(workflow.statuses)}
        own = np.array([numbers[name] for name in frame["status"]], dtype=np.int64)
    elif "status" in frame:
        escalated = (frame["status"] == "Escalated").to_numpy()
    return Opening(
        time_s,
        Places(np.full(n, LAYER, dtype=np.int32), np.arange(n, dtype=np.int32)),
        _codes(table, frame, "category", categories),
        _codes(table, frame, "priority", PRIORITIES),
        _codes(table, frame, "channel", channels, unknown=True),
        escalated,
        own,
        since_s,
    )


def _since(table: Table, frame: pd.DataFrame) -> list[float]:
    """Moments at which tickets came into their statuses; each lies in the life of its ticket."""
    since_s, arrived_s = frame["since_s"].to_numpy(), frame["time_s"].to_numpy()
    for odd, where in (
        (since_s > 0, "after the start of the run"),
        (since_s < arrived_s, "before its ticket arrived"),
    ):
        if odd.any():
            raise table.fail(f"{int(odd.sum()):,} of its status_since lie {where}")
    found: list[float] = since_s.tolist()
    return found


def _codes(
    table: Table, frame: pd.DataFrame, column: str, names: tuple[str, ...], unknown: bool = False
) -> npt.NDArray[np.int64] | None:
    """A column as indices into the names that it may hold; None where there is no such column."""
    if column not in frame:
        return None
    index = {name: k for k, name in enumerate(names)} | ({"": -1} if unknown else {})
    for name in frame[column]:
        if name not in index:
            raise table.fail(f'unknown {column} "{name}"', nearest(name, names))
    return np.array([index[name] for name in frame[column]], dtype=np.int64)
