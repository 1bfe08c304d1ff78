"""Demand of many runs that differ in their agents alone: drawn once for all of them.

Luck belongs to the ticket, so who comes, when and with what does not hang on who works.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from twin.demand.names import check_categories, check_channels
from twin.demand.tickets import Demand, draw
from twin.scenario.model import Scenario

# Sections that no draw of a ticket reads: they are looked at for names of categories and channels.
_LATER = {"agents", "customers", "routing", "queue", "name", "question", "replications"}


class DrawnOnce:
    """Draws as `twin.demand.draw` does, and keeps the last ones.

    Parameters
    ----------
    most : int
        Replications that are kept.
    """

    def __init__(self, most: int = 16) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[object, ...], Demand] = OrderedDict()

    def draw(self, scenario: Scenario, replication: int = 0) -> Demand:
        """Demand of a replication; that of an earlier scenario where it is the same.

        Raises
        ------
        ScenarioError
            As of `twin.demand.draw`.
        """
        key = scenario.model_dump_json(exclude=_LATER), _stamps(scenario), replication
        found = self._kept.pop(key, None)
        if found is None:
            found = draw(scenario, replication)
        else:
            check_categories(scenario, found.categories)
            check_channels(scenario, found.categories)
        self._kept[key] = found
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
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
