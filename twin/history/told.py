"""Moments as an export tells them: whole minutes, where it leaves the seconds out.

A wait from 10:04:50 to 10:05:10 is told as a minute, one from 10:05:10 to 10:05:50 as none. So a
wait of t minutes stands for t - 1 to t + 1, and t is right on average; one of 0 for less than a
minute. Where only the lengths are whole minutes, t stands for t to t + 1: they are taken to be cut,
not rounded. A desk that is played is told in the same way before its waits are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.records.tables import RunLog

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_MINUTE_S = 60.0
# Moments, or waits, that tell a unit at least, and the share of them that must be whole.
_FEWEST, _SHARE = 50, 0.99
# A sequence that fills [0, 1) evenly, whatever its length: multiples of the golden ratio.
_GOLDEN = (5**0.5 - 1) / 2
_MOMENTS = ("queued_s", "started_s", "ended_s")


@dataclass(frozen=True)
class Told:
    """Exactness of the moments in an export.

    Attributes
    ----------
    unit_s : float
        60: whole minutes; 0: exactly.
    lengths : bool
        Whether only the lengths of waits are whole, and moments are not.
    """

    unit_s: float = 0.0
    lengths: bool = False

    @classmethod
    def of(cls, log: RunLog) -> Told:
        """Find it out from the visits in the tables of a history."""
        visits = log.visits[log.visits["queued_s"].notna().to_numpy()]
        at = visits[list(_MOMENTS)].to_numpy(dtype=np.float64)
        waits = np.where(np.isnan(at[:, 1]), at[:, 2], at[:, 1]) - at[:, 0]
        if _whole(at):
            return cls(_MINUTE_S)
        # Of who waited less than a second the log may say so, or leave it out.
        return cls(_MINUTE_S, lengths=True) if _whole(waits[waits >= 1.0]) else cls()

    def cut(self, log: RunLog) -> RunLog:
        """Records of a run as this export would have told them."""
        if not self.unit_s:
            return log
        visits = self.cut_visits(log.visits)
        if self.lengths:
            return replace(log, visits=visits)
        tickets = self._floor(log.tickets, ("arrived_s", "responded_s", "resolved_s"))
        return replace(log, tickets=tickets, visits=visits)

    def cut_visits(self, visits: pd.DataFrame) -> pd.DataFrame:
        """The table visits of a run as this export would have told it."""
        if not self.unit_s:
            return visits
        if self.lengths:
            queued = visits["queued_s"]
            until = visits["started_s"].fillna(visits["ended_s"])
            less_s = (until - queued) % self.unit_s
            return visits.assign(
                **{name: visits[name] - less_s for name in ("started_s", "ended_s")}
            )
        return self._floor(visits, _MOMENTS)

    def _floor(self, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        return table.assign(**{
            name: np.floor(table[name] / self.unit_s) * self.unit_s for name in columns
        })  # fmt: skip

    def spread(self, at_s: Floats) -> Floats:
        """Moments at which customers came: those of a minute anywhere in it, in their order.

        Else all of a minute would come at once, and wait for each other.
        """
        if not self.unit_s or self.lengths:
            return at_s
        after_s = (np.arange(len(at_s)) + 1) * _GOLDEN % 1.0 * self.unit_s
        order = np.lexsort((after_s, at_s))
        found: Floats = np.empty(len(at_s))
        found[np.argsort(at_s, kind="stable")] = (at_s + after_s)[order]
        return found

    def exposed_s(self, wait_s: Floats, gave_up: Mask) -> float:
        """Sum of the waiting that waits stand for."""
        if not self.unit_s or not self.lengths:
            return float(wait_s.sum())
        # Who still waited after so many minutes, and in between as many as fall off evenly.
        there = np.array([
            (wait_s >= k * self.unit_s).sum() for k in range(int(wait_s.max() / self.unit_s) + 2)
        ], dtype=np.float64)  # fmt: skip
        least = there[1] + gave_up[wait_s < self.unit_s].sum()
        more = there[1] ** 2 / there[2] if len(there) > 2 and there[2] else 0.0
        there[0] = min(max(more, least), there[0])
        before, after = there[:-1], there[1:]
        fall = np.log(np.maximum(before, 1.0) / np.maximum(after, 0.5))
        area = np.where(before > after, (before - after) / np.maximum(fall, 1e-9), before)
        return float(area.sum()) * self.unit_s

    @property
    def in_words(self) -> str:
        """Words for the stretch that a wait stands for."""
        first = "t" if self.lengths else "t - 1"
        return f"each wait of t min stands for {first} to t + 1 min"

    @property
    def said(self) -> str:
        """A sentence on what figures of waits rest on; empty where waits are told exactly."""
        if not self.unit_s:
            return ""
        mean = "is half a minute too short for those who waited" if self.lengths else "holds"
        return (
            f"Waits are told in whole minutes: {self.in_words}, and 0 for less than a minute. The "
            f"mean wait {mean}; a share answered within a time rests on waits so told (within 20 s "
            "is: told as 0 min), and a median or a share that waited is no closer than a minute. "
            "Waits as played are told in the same way before they are compared."
        )


def _whole(moments: npt.NDArray[np.float64]) -> bool:
    known = moments[~np.isnan(moments)]
    return len(known) >= _FEWEST and float((known % _MINUTE_S == 0).mean()) >= _SHARE
