"""Random desks on both engines without end: says the first that differs, with its seed.

    python -m tests.fuzz_engines [SEED] [--desks N]

Each seed tries so many desks (200 unless given); it goes on with the next seed until it is ended.
"""

from __future__ import annotations

import argparse
import sys
from itertools import count
from pathlib import Path

from hypothesis import given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from engines import covered, odd_between_engines, with_statuses
from strategies import SETTINGS

from twin.demand.tickets import draw

desks_of_all_kinds = st.one_of(covered(), covered(), with_statuses())


def main() -> None:
    """Play until a desk differs, or for ever."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--desks", type=int, default=200)
    given_ = parser.parse_args()
    desks = tickets = 0

    def check(scenario):
        nonlocal desks, tickets
        demand = draw(scenario)
        assert odd_between_engines(scenario, demand) == [], scenario.as_data()
        desks, tickets = desks + 1, tickets + len(demand)

    for number in count(given_.seed):
        several = settings(SETTINGS, max_examples=given_.desks, database=None)
        seed(number)(several(given(desks_of_all_kinds)(check)))()
        print(f"seed {number}: {desks:,} desks, {tickets:,} tickets, all the same", flush=True)


if __name__ == "__main__":
    main()
