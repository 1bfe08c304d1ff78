"""The four-stage desk and a phone desk on SimPy, Ciw, salabim, cimba and the twin, in turn.

    pip install ciw salabim cimba
    python tests/benchmarks/peers [--rounds 7] [--tickets 20000]

Each engine's desk is written as its own guide would. All draw their luck, play, and end with a
table of the times of every ticket; the twin also records what it always does (the timeline, costs,
tokens). Figures of all plays must agree. Times are of the processor, an engine after the other in
every round; the compiled ones play ten times as many tickets, as their loop is short beside what
every play needs. A ratio is that of a round: cost a ticket over that of the twin on its fastest
engine. Engines that are not installed are left out, by name.

(A script, not a module of `tests`: Ciw brings a package of that name.)
"""

from __future__ import annotations

import argparse
import gc
import importlib
import math
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
from desks import Desk, FourStages, Phone, Seen, seen

sys.path.insert(1, str(Path(__file__).resolve().parents[3]))

Tables = dict[str, pd.DataFrame]
Play = Callable[[Desk, float, int], Tables]
Look = Callable[[Tables], Seen]
DESKS: dict[str, Desk] = {"four stages": FourStages(), "phone": Phone()}
TWIN = "the twin, compiled"
# Ten times as many tickets: what is fixed a play is as small a part of theirs as of the others'.
LONG = ("cimba", TWIN)


def engines(desk: Desk) -> dict[str, tuple[Play, Look]]:
    """Plays of a desk by engine, and how to read them; says what is left out."""
    found: dict[str, tuple[Play, Look]] = {}
    for name in ("SimPy", "Ciw", "salabim", "cimba"):
        try:
            module = importlib.import_module(f"{name.lower()}_desk")
        except ImportError as error:
            print(f"left out: {name} ({error.name} is not installed)")
            continue
        found[name] = module.play, partial(module.seen, desk) if name == "Ciw" else _table
    ours = importlib.import_module("twin_desk")
    twin = ours.twin
    for name, engine in (("the twin, SimPy", "simpy"), (TWIN, "compiled")):
        play = partial(ours.play, engine=engine)
        try:
            play(desk, 100 * desk.gap_s, 0)
        except twin.TwinError as error:
            print(f"left out: {name} ({error})")
            continue
        found[name] = play, ours.seen
    return found


def _table(tables: Tables) -> Seen:
    return seen(tables["tickets"])


def agree(name: str, figures: list[Seen], others: list[Seen]) -> None:
    """Stop unless the means over all rounds agree with the first engine's.

    A mean may be off by a tenth, or by four standard errors where rounds are few: luck makes less
    of them, another desk more.
    """
    for part in ("left", "wait_s", "call_wait_s"):
        ours, first = ([getattr(f, part) for f in fs] for fs in (figures, others))
        error = math.hypot(
            *(statistics.stdev(each) / math.sqrt(len(each)) for each in (ours, first))
        )
        apart, mean = statistics.mean(ours) - statistics.mean(first), statistics.mean(first)
        if abs(apart) > max(0.1 * mean, 4 * error):
            sys.exit(f"{name} plays another desk: {part} is {mean + apart:.4g}, not {mean:.4g}")


def main() -> None:
    """Print a line for each engine and desk."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tickets", type=int, default=20_000)
    given = parser.parse_args()
    for title, desk in DESKS.items():
        plays = engines(desk)
        costs: dict[str, list[float]] = {name: [] for name in plays}
        figures: dict[str, list[Seen]] = {name: [] for name in plays}
        for k in range(given.rounds + 1):
            for name, (play, look) in plays.items():
                horizon_s = given.tickets * desk.gap_s * (10 if name in LONG else 1)
                gc.collect()
                begun = time.process_time()
                tables = play(desk, horizon_s, k)
                spent = time.process_time() - begun
                # The first round compiles and warms up.
                if k:
                    figures[name].append(look(tables))
                    costs[name].append(spent / figures[name][-1].tickets)
                del tables
        first = next(iter(figures))
        best = TWIN if TWIN in costs else "the twin, SimPy"
        print(f"{title}: {given.rounds} rounds; cost a ticket over that of {best}")
        for name, each in costs.items():
            agree(name, figures[name], figures[first])
            ratios = [a / b for a, b in zip(each, costs[best], strict=True)]
            low, mid, high = statistics.quantiles(ratios, n=4)
            print(
                f"  {name:20} {statistics.median(each) * 1e6:8.2f} us  "
                f"{mid:7.2f} times ({low:.2f} to {high:.2f})"
            )


if __name__ == "__main__":
    main()
