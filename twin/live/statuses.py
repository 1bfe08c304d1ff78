"""The table of transitions between statuses, by name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from twin.common.errors import TwinError
from twin.records.tables import STATUSES, TRANSITIONS


class NotAllowed(TwinError, ValueError):
    """A change of status that the table of transitions does not know.

    Attributes
    ----------
    status : str
        Where the ticket is.
    """

    def __init__(self, status: str) -> None:
        self.status = status
        next_ones = [STATUSES[k] for k in sorted(TRANSITIONS[STATUSES.index(status)])]
        ways = f"can only become {' or '.join(next_ones)}" if next_ones else "stays as it is"
        super().__init__(f"a ticket that is {status} {ways}")


def check_path(statuses: Sequence[str]) -> None:
    """See that each status may follow the one before it.

    Raises
    ------
    NotAllowed
    """
    codes = [STATUSES.index(name) for name in statuses]
    for before, after in pairwise(codes):
        if after not in TRANSITIONS[before]:
            raise NotAllowed(STATUSES[before])
