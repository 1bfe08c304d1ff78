"""What common random numbers are worth, beside independent seeds.

    python tests/benchmarks/common_random_numbers.py SCENARIO agents.frontline.extra_heads=1

plays a scenario and a change of it with the same seed, and the change once more with another seed,
and prints by figure the variance of the difference of a replication both ways.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import twin
from twin.scenario.changes import parse_change

FIGURES = ("service_level", "agent_wait_mean", "first_response_mean", "resolution_mean", "csat")


def gains(base, changes, replications, figures=FIGURES, workers=1):
    """Variances of the difference, with common and with independent luck, by figure.

    Parameters
    ----------
    base : Scenario
    changes : dict
        What the what-if changes.
    replications : int

    Returns
    -------
    DataFrame
        Columns figure, baseline, what_if, common, independent, ratio.
    """
    what_if = base.vary(changes, name="what-if")
    together = twin.run([base, what_if], replications=replications, workers=workers)
    apart = twin.run(what_if, replications=replications, workers=workers, seed=base.seed + 100_003)
    rows = []
    for figure in figures:
        a, b = (_values(together.kpis, name, figure) for name in (base.name, "what-if"))
        other = _values(apart.kpis, "what-if", figure)
        common, independent = np.var(b - a, ddof=1), np.var(other - a, ddof=1)
        rows.append((figure, a.mean(), b.mean(), common, independent, independent / common))
    columns = ["figure", "baseline", "what_if", "common", "independent", "ratio"]
    return pd.DataFrame(rows, columns=columns)


def _values(kpis, scenario, figure):
    here = (kpis["scenario"] == scenario) & (kpis["kpi"] == figure) & (kpis["group"] == "")
    return kpis[here].sort_values("replication")["value"].to_numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", type=Path)
    parser.add_argument("change", nargs="+", help="as agents.frontline.extra_heads=1")
    parser.add_argument("--replications", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    changes = dict(map(parse_change, given.change))
    base = twin.load(given.scenario)
    table = gains(base, changes, given.replications, workers=given.workers)
    print(f"{base.name} against {' '.join(given.change)}, {given.replications} replications")
    print(table.to_string(index=False, float_format=lambda x: f"{x:.4g}"))


if __name__ == "__main__":
    main()
