"""Demand of many runs that differ in their agents alone: drawn once for all of them.

Luck belongs to the ticket, so who comes, when and with what does not hang on who works.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, fields
from pathlib import Path

from twin.common.kept import MadeOnce
from twin.demand.luck import FIRST, Floats, Stream, Use
from twin.demand.names import check_categories, check_channels
from twin.demand.tickets import Demand, draw
from twin.scenario.model import Scenario

# Sections that neither a draw of a ticket reads nor an answer of the assistant: they are looked at
# for names of categories and channels. What is not named here keeps desks apart.
LATER = {
    "agents", "customers", "routing", "queue", "targets", "evidence", "name", "question",
    "replications", "work_rules",
}  # fmt: skip
# Tickets of all that is kept, beyond the last one.
_MOST_TICKETS = 400_000
# Columns that are kept of a demand: a desk has some thirty.
_MOST_COLUMNS = 100
# What a draw reads of a scenario, as a text.
_READ = MadeOnce[str](most=256)


class DrawnOnce:
    """Draws as `twin.demand.draw` does, and keeps the last ones.

    Parameters
    ----------
    most : int
        Replications that are kept.
    luck : bool
        Whether the tickets' further luck is drawn once, too: eight bytes a ticket and purpose.
    """

    def __init__(self, most: int = 16, luck: bool = False) -> None:
        self._most = most
        self._luck = luck
        self._kept: OrderedDict[tuple[object, ...], Demand] = OrderedDict()

    def draw(self, scenario: Scenario, replication: int = 0) -> Demand:
        """Demand of a replication; that of an earlier scenario where it is the same.

        Raises
        ------
        ScenarioError
            As of `twin.demand.draw`.
        """
        read = _READ.get(scenario, lambda: scenario.model_dump_json(exclude=LATER))
        key = read, _stamps(scenario), replication
        found = self._kept.pop(key, None)
        if found is None:
            found = draw(scenario, replication)
            if self._luck and len(found) < _MOST_TICKETS:
                found = _Kept(**{one.name: getattr(found, one.name) for one in fields(found)})
        else:
            check_categories(scenario, found.categories)
            check_channels(scenario, found.categories)
        self._kept[key] = found
        while len(self._kept) > 1 and (
            len(self._kept) > self._most or sum(map(len, self._kept.values())) > _MOST_TICKETS
        ):
            self._kept.popitem(last=False)
        return found


@dataclass(frozen=True)
class _Kept(Demand):
    """Demand of which each uniform is drawn once, and each column that is made of them."""

    _made: dict[Hashable, Floats] = field(default_factory=dict, repr=False)

    def uniform(self, stream: Stream, use: Use = FIRST) -> Floats:
        return self.once(lambda: (stream, use), lambda: Demand.uniform(self, stream, use))

    def once(self, of: Callable[[], Hashable], make: Callable[[], Floats]) -> Floats:
        if self._swaps:
            return make()
        name = of()
        found = self._made.get(name)
        if found is None:
            found = make()
            if len(self._made) < _MOST_COLUMNS:
                self._made[name] = found
                # It is everybody's.
                found.flags.writeable = False
        return found


def _stamps(scenario: Scenario) -> tuple[tuple[int, int], ...]:
    """Moment and size of the last change of each file that demand is drawn from."""
    backlog = scenario.backlog
    named = (
        scenario.arrivals.trace,
        scenario.tickets.corpus,
        None if backlog is None else backlog.file,
    )
    paths = [Path(name) for name in named if name is not None]
    # One that is not there is told by who draws.
    stats = [path.stat() for path in paths if path.exists()]
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)
