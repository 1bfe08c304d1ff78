"""Tables of the machine, found by where they are in memory: `tickets(d)[i]` is a ticket's row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj
from numba.np.numpy_support import from_dtype

from twin.desk.compiled.columns import NUMBERS, TABLES

# Without types of their own.
_arrays: Any = arrayobj
_codes: Any = cgutils
_FIELDS: Any = NUMBERS.fields


def _table(name: str) -> Any:
    """Find a table by its address in the row of numbers.

    It is written in the machine's own terms, and not with numba's `carray`, which takes a third of
    the time of compiling.
    """
    dtype, dimensions = TABLES[name]
    rows = types.Array(from_dtype(np.dtype(dtype)), dimensions, "C")
    places = [_FIELDS[f"{name}_{what}"][1] for what in ("at", *range(dimensions))]

    def typed(_: Any, d: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            found = [
                builder.load(
                    _codes.get_record_member(builder, given[0], place, _codes.intp_t), align=1
                )
                for place in places
            ]
            address, shape = found[0], found[1:]
            itemsize = context.get_constant(types.intp, np.dtype(dtype).itemsize)
            strides = [itemsize]
            for size in reversed(shape[1:]):
                strides.insert(0, builder.mul(strides[0], size))
            table = _arrays.make_array(rows)(context, builder)
            data = builder.inttoptr(address, table.data.type)
            _arrays.populate_array(table, data, shape, strides, itemsize, None)
            return table._getvalue()

        return rows(d), generate

    return intrinsic(typed)


events, patience_ends, expiries = map(_table, ("events", "patience_ends", "expiries"))
tickets, opening = map(_table, ("tickets", "opening"))
teams, agents_luck = map(_table, ("teams", "agents_luck"))
skilled, knows = map(_table, ("skilled", "knows"))
lines, ends, stages, watches = map(_table, ("lines", "ends", "stages", "watches"))
helpers, helps, passing = map(_table, ("helpers", "helps", "passing"))
queues, able, routes = map(_table, ("queues", "able", "routes"))
changes, changes_to = map(_table, ("changes", "changes_to"))
work, wrap_up, choices = map(_table, ("work", "wrap_up", "choices"))
agents, hands, speeds, agent_choices = map(_table, ("agents", "hands", "speeds", "agent_choices"))
visit_luck, rules = map(_table, ("visit_luck", "rules"))
retrial_luck, touch_luck, steps = map(_table, ("retrial_luck", "touch_luck", "steps"))
ways, ways_from, delays = map(_table, ("ways", "ways_from", "delays"))
ages, paces, own_statuses = map(_table, ("ages", "paces", "own_statuses"))
slots, slots_of = map(_table, ("slots", "slots_of"))
providers, quotas, outages = map(_table, ("providers", "quotas", "outages"))
timeline, visits, calls = map(_table, ("timeline", "visits", "calls"))
ratings, staffing = map(_table, ("ratings", "staffing"))
in_order, spans = map(_table, ("in_order", "spans"))


def _column(dtype: Any) -> Any:
    """Look up the value of ticket `i` in a column that is at an address."""
    kind = from_dtype(np.dtype(dtype))

    def typed(_: Any, address: Any, i: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            column = builder.inttoptr(given[0], context.get_data_type(kind).as_pointer())
            return context.unpack_value(builder, kind, builder.gep(column, [given[1]]))

        return kind(types.int64, types.int64), generate

    return intrinsic(typed)


# Lengths, whole numbers of 4 and 2 bytes, and bytes.
number_of = _column(np.float64)
whole_of = _column(np.int32)
code_of = _column(np.int16)
byte_of = _column(np.int8)
