"""Tables of the machine, found by where they are in memory: `tickets(d)[i]` is a ticket's row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from twin.desk.compiled.columns import TABLES
from twin.desk.compiled.heap import compiled


def _pointer(_: Any, __: Any) -> Any:
    """The address that a number is."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.inttoptr(given[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


_at: Any = intrinsic(_pointer)


def _table(name: str) -> Callable[[Any], Any]:
    """Find a table by its address in the row of numbers."""
    dtype, dimensions = TABLES[name]
    address, *sizes = f"{name}_at", *(f"{name}_{k}" for k in range(dimensions))
    one, two, three, four = (*sizes, *sizes, *sizes, *sizes)[:4]

    def rows_1(d: Any) -> Any:
        return carray(_at(d[address]), (d[one],), dtype)

    def rows_2(d: Any) -> Any:
        return carray(_at(d[address]), (d[one], d[two]), dtype)

    def rows_3(d: Any) -> Any:
        return carray(_at(d[address]), (d[one], d[two], d[three]), dtype)

    def rows_4(d: Any) -> Any:
        return carray(_at(d[address]), (d[one], d[two], d[three], d[four]), dtype)

    return compiled((rows_1, rows_2, rows_3, rows_4)[dimensions - 1])


events, patience_ends, expiries = map(_table, ("events", "patience_ends", "expiries"))
tickets, opening = map(_table, ("tickets", "opening"))
teams, agents_luck = map(_table, ("teams", "agents_luck"))
skilled, knows = map(_table, ("skilled", "knows"))
lines, ends, stages, watches = map(_table, ("lines", "ends", "stages", "watches"))
helpers, helps, passing = map(_table, ("helpers", "helps", "passing"))
queues, able, routes = map(_table, ("queues", "able", "routes"))
changes, changes_to = map(_table, ("changes", "changes_to"))
work, wrap_up, choices = map(_table, ("work", "wrap_up", "choices"))
visit_luck, rules = map(_table, ("visit_luck", "rules"))
retrial_luck, touch_luck, steps = map(_table, ("retrial_luck", "touch_luck", "steps"))
slots, slots_of = map(_table, ("slots", "slots_of"))
providers, quotas, outages = map(_table, ("providers", "quotas", "outages"))
timeline, visits, calls = map(_table, ("timeline", "visits", "calls"))
ratings, staffing = map(_table, ("ratings", "staffing"))


def _column(dtype: Any) -> Callable[[int, int], Any]:
    def value(address: int, i: int) -> Any:
        return carray(_at(address), (i + 1,), dtype)[i]

    return compiled(value)


# The value of ticket `i` in a column that is at an address.
number_of = _column(np.float64)
whole_of = _column(np.int32)
code_of = _column(np.int16)
byte_of = _column(np.int8)
