"""Kinds of tickets that tell who takes what: the desk's categories, or else its groups."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from twin.demand.tickets import category_names
from twin.history.calibrated import Data
from twin.history.call_pools import several_pools, with_pools
from twin.history.desk_history import DeskHistory
from twin.history.fidelity.records import Recorded
from twin.scenario.model import Scenario

# Category of tickets of which none is told, beside others of which one is.
NOT_TOLD = "not told"


def with_kinds(history: DeskHistory) -> tuple[DeskHistory, str]:
    """The same history with a category for each ticket, and a sentence where groups took its place.

    Groups are taken where no categories are told, and where they tell pools of agents apart and
    categories do not.
    """
    column = history.log.tickets["category_true"].astype(object)
    as_told = history if column.notna().all() else _with(history, column)
    groups = groups_of(history)
    if groups is None:
        return as_told, ""
    by_group = _with(history, groups)
    if column.nunique() < 2:
        return by_group, "Groups stand for categories, which the history does not tell."
    if several_pools(as_told.log) is None and several_pools(by_group.log) is not None:
        return by_group, "Groups stand for categories: agents go by them, and not by categories."
    return as_told, ""


def kinds_as(records: Recorded, scenario: Scenario) -> Recorded:
    """Records with groups in the place of categories, if those are what a scenario has."""
    if not isinstance(records, DeskHistory) or not scenario.agents:
        return records
    groups, names = groups_of(records), category_names(scenario)
    own = records.log.tickets["category_true"].astype(object)
    if groups is None or own.isin(names).any() or not groups.isin(names).any():
        return records
    return _with(records, groups)


def as_calibrated(history: DeskHistory, data: Data) -> DeskHistory:
    """The same history with the categories and pools of the scenario that it was calibrated to."""
    history, _ = with_kinds(history)
    pools = data["agents"]
    if len(pools) < 2:
        return history
    skills = {name: pool["skills"] for name, pool in pools.items()}
    return replace(history, log=with_pools(history.log, skills))


def groups_of(history: DeskHistory) -> pd.Series[str] | None:
    """The group of each ticket, in the order of the tickets; None where there are not two."""
    keys = history.extra["keys"].set_index("ticket_id")["group"].astype(object)
    groups = keys.reindex(history.log.tickets["ticket_id"])
    if groups.nunique() < 2:
        return None
    return groups.set_axis(history.log.tickets.index)


def _with(history: DeskHistory, kinds: pd.Series[str]) -> DeskHistory:
    if kinds.isna().all():
        return history
    filled = pd.Categorical(kinds.where(kinds.notna(), NOT_TOLD).astype(str))
    log = replace(history.log, tickets=history.log.tickets.assign(category_true=filled))
    return replace(history, log=log)
