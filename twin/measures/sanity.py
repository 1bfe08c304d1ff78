"""Checks that every run must pass: conservation and Little's law.

Both sides of a check are found independently, so a difference beyond rounding is a fault of the
twin or of its tables, never of luck.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from twin.measures.balance import Balance
from twin.measures.run_levels import RunLevels
from twin.records import tables
from twin.records.in_parts import parts_of
from twin.stats import intervals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twin.records.tables import Columns, RunLog
    from twin.scenario.model import Scenario

# Moments are sums of floats over up to millions of tickets.
_ROUNDING = 1e-6
# So rarely does luck alone put a wait above its bound.
_LEVEL = 0.999


def sanity(log: RunLog, scenario: Scenario) -> pd.DataFrame:
    """Conservation and Little's law of one replication.

    Parameters
    ----------
    log : RunLog
    scenario : Scenario
        As run; its pools are checked one by one.

    Returns
    -------
    DataFrame
        Columns of the table sanity, see `twin.records.tables`; the whole run, warm-up included.
    """
    return checked(log, scenario).frame()


def checked(log: RunLog, scenario: Scenario) -> Columns:
    """As `sanity`, as columns."""
    found = Balance(scenario, RunLevels(log, scenario))
    for part in parts_of(log):
        found.add(part)
    return checks_of(found, log.horizon_s)


def checks_of(balance: Balance, horizon_s: float) -> Columns:
    """The table sanity, of a run that was counted; its horizon in seconds."""
    counts = balance.conservation()
    of, level, _, _, product = zip(*balance.law(horizon_s), strict=True)
    checks = ["conservation", *(f"Little's law, {name}" for name in of)]
    expected = np.array([counts["arrivals"], *product], dtype=np.float64)
    out = counts["resolved"] + counts["abandoned"] + counts["open"]
    found = np.array([out, *level], dtype=np.float64)
    ok = np.isclose(found, expected, rtol=_ROUNDING, atol=1e-9)
    ok[0] = found[0] == expected[0]
    columns = {"check": checks, "expected": expected, "found": found, "ok": ok}
    return tables.columns_of("sanity", columns)


def faults(table: Columns, replication: int) -> list[str]:
    """A sentence for each check of a replication that does not hold."""
    rows = zip(*(table[name] for name in ("check", "expected", "found", "ok")), strict=True)
    return [
        f"replication {replication}: {check} does not hold: expected {expected:g}, found {found:g}"
        for check, expected, found, ok in rows
        if not ok
    ]


def overall(table: pd.DataFrame) -> pd.DataFrame:
    """Checks of all replications as one row each, the worst replication of a check.

    Parameters
    ----------
    table : DataFrame
        The table sanity of one or more scenarios, with columns scenario and replication.

    Returns
    -------
    DataFrame
        Columns scenario, check, replications, expected, found, ok.
    """
    columns = ["scenario", "check", "replications", "expected", "found", "ok"]
    if table.empty:
        return pd.DataFrame(columns=columns)
    keys = ["scenario", "check"]
    apart = (table["found"] - table["expected"]).abs() / table["expected"].abs().clip(lower=1e-9)
    ranked = table.assign(apart=apart.fillna(np.inf))
    ranked = ranked.sort_values(["ok", "apart"], ascending=[True, False], kind="stable")
    worst = ranked.drop_duplicates(keys).set_index(keys)
    # In the order in which they come, not that of how bad they are.
    order = pd.MultiIndex.from_frame(table[keys].drop_duplicates())
    worst = worst.reindex(order).reset_index()
    counts = table.groupby(keys, sort=False, observed=True).size().to_numpy()
    return worst.assign(replications=counts, ok=worst["ok"].astype(bool))[columns]


def erlang(kpis: pd.DataFrame, scenario: str, bounds: Mapping[str, float]) -> pd.DataFrame:
    """Checks that mean waits keep below what Erlang's formulas allow, as far as luck can tell.

    Parameters
    ----------
    kpis : DataFrame
        Figures of that scenario, with a column replication.
    scenario : str
    bounds : mapping of str to float
        From `twin.measures.theory.erlang_bounds`, by figure.

    Returns
    -------
    DataFrame
        As from `overall`; found is the figure over all replications, and it fails where even the
        lower end of its 99.9 % interval lies above the bound (or, of a single replication, the
        interval is not known and nothing fails).
    """
    rows = []
    for name, bound in bounds.items():
        of = kpis[(kpis["kpi"] == name).to_numpy() & (kpis["group"] == "").to_numpy()]
        value, low, _ = intervals.ratio_interval(of["numerator"], of["denominator"], _LEVEL)
        rows.append((scenario, f"Erlang bound, {name}", len(of), bound, value, not low > bound))
    columns = ["scenario", "check", "replications", "expected", "found", "ok"]
    return pd.DataFrame(rows, columns=columns)
