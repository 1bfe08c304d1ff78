"""Both engines beside each other, in turn: their loop, and the whole replication.

    python -m tests.benchmarks.engines [SCENARIO ...] [--rounds N] [--horizon 60d]

The loop is what `twin.simulate` takes beyond the tables, which both make alike; the replication is
`twin.play`: demand, desk, tables, figures. Times are of the processor. Needs the extra `fast`.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import twin
from twin.demand.tickets import Demand
from twin.desk.ledger import Ledger
from twin.records.tables import RunLog
from twin.scenario.model import Scenario

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("baseline.toml", "humans-only.toml", "phone-desk.toml", "email-desk.toml")
FILES = [ROOT / "scenarios" / name for name in NAMES]


def cpu_s(function: Callable[[], object]) -> float:
    """Processor time of a call, in seconds."""
    gc.collect()
    begun = time.process_time()
    function()
    return time.process_time() - begun


def middle(values: list[float]) -> str:
    """The median, and the range of the middle half."""
    low, mid, high = statistics.quantiles(values, n=4)
    return f"{mid:.1f} ({low:.1f} to {high:.1f})"


def measured(desk: Scenario, demand: Demand, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Times by part and engine, a round each."""
    times: dict[tuple[str, str], list[float]] = {}
    tables_s: list[float] = []
    make = Ledger.log

    def timed(*given: Any) -> RunLog:
        begun = time.process_time()
        log = make(*given)
        tables_s.append(time.process_time() - begun)
        return log

    for k in range(rounds + 1):
        for engine in ("simpy", "compiled"):
            with patch.object(Ledger, "log", timed):
                all_s = cpu_s(partial(twin.simulate, desk, demand, engine=engine))
            whole_s = cpu_s(partial(twin.play, desk, engine=engine))
            parts = {"loop": all_s - tables_s[-1], "simulate": all_s, "replication": whole_s}
            # The first round compiles.
            for part, seconds in parts.items() if k else ():
                times.setdefault((part, engine), []).append(seconds)
    return times


def main() -> None:
    """Print a line for each scenario."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenarios", nargs="*", type=Path, default=FILES)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--horizon", default=None)
    given = parser.parse_args()
    for path in given.scenarios:
        desk = twin.load(path, {"horizon": given.horizon} if given.horizon else {})
        demand = twin.draw(desk)
        times = measured(desk, demand, given.rounds)
        print(f"{path.stem}: {len(demand):,} tickets, {given.rounds} rounds")
        for part in ("loop", "simulate", "replication"):
            one, two = times[part, "simpy"], times[part, "compiled"]
            ratios = middle([a / b for a, b in zip(one, two, strict=True)])
            each = [statistics.median(t) / len(demand) * 1e6 for t in (one, two)]
            print(f"  {part}: {ratios} times; {each[0]:.2f} and {each[1]:.2f} us a ticket")


if __name__ == "__main__":
    main()
