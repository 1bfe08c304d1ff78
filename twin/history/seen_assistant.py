"""An assistant in a history: what it answered, and the desk of agents behind it.

Agents are played to find how far they are there (`twin.history.fit.capacity`), and of an answered
ticket they know nothing. So they are calibrated to the tickets that came to them, from the moment
at which these did, and the assistant stands before them afterwards, as it was seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.history.calibrated import Data
from twin.history.desk_history import DeskHistory
from twin.history.fit.estimate import Estimate
from twin.stats.shares import wilson

Floats = npt.NDArray[np.float64]
# Values of a distribution, at most: its quantiles.
_LISTED = 99
# With fewer latencies their mean says all that they tell.
_FEWEST = 20


@dataclass(frozen=True)
class SeenAssistant:
    """An assistant as seen.

    Attributes
    ----------
    tickets, answered, back : int
        Tickets that came, those that it answered, and those of them that came to agents later.
    answer_s, pass_s, back_s : array of float
        Times from a ticket's arrival until it answered, or until the ticket waited for an agent;
        and from its answer until the ticket came to agents after all.
    """

    tickets: int
    answered: int
    back: int
    answer_s: Floats
    pass_s: Floats
    back_s: Floats

    @property
    def share(self) -> float:
        """Share of the tickets that it answered."""
        return self.answered / self.tickets

    def sections(self, customers: Data) -> Data:
        """The sections assistant, provider and customers of a scenario.

        Parameters
        ----------
        customers : dict
            Of the desk of agents.
        """
        even = {"distribution": "uniform", "low": 0.0, "high": 1.0}
        read = _times(self.pass_s if len(self.pass_s) else self.answer_s / 2)
        usual = float(self.pass_s.mean()) if len(self.pass_s) else float(self.answer_s.mean()) / 2
        solved = 1.0 - self.back / self.answered
        more: Data = {"solved": {**customers["solved"], "assistant": round(solved, 4)}}
        if self.back:
            mean_s = f"{float(self.back_s.mean()):.6g}s"
            more |= {"reopen_rate": 1.0, "reopen_delay": {"distribution": "exponential",
                                                          "mean": mean_s}}  # fmt: skip
        return {
            "assistant": {
                "role": "full", "unsure": "handle", "backend": "profile",
                "confidence_threshold": round(1 - self.share, 4),
                "profile": {
                    "accuracy": 1.0, "quality": 1.0,
                    "confidence_right": even, "confidence_wrong": even,
                    "categorize_latency": read,
                    "respond_latency": _times(np.maximum(self.answer_s - usual, 0.0)),
                },
            },
            "provider": {"plan": "unlimited"},
            "customers": customers | more,
        }  # fmt: skip

    def estimates(self) -> list[Estimate]:
        """Estimates of the numbers of its sections."""
        low, high = wilson(self.share, self.tickets)
        passed = Estimate(
            "assistant.confidence_threshold", 1 - self.share, "share", 1 - high, 1 - low,
            self.tickets, "share of the tickets that it passed on to agents",
        )  # fmt: skip
        low, high = wilson(self.back / self.answered, self.answered)
        back = Estimate(
            "customers.solved.assistant", 1 - self.back / self.answered, "share", 1 - high, 1 - low,
            self.answered, "share of its answers after which nobody came to agents",
        )  # fmt: skip
        why = "wrong answers are those after which customers came back, whatever their category"
        return [passed, back,
                Estimate("assistant.profile.accuracy", 1.0, method=why, assumed=True)]  # fmt: skip

    @property
    def said(self) -> str:
        """A sentence on it."""
        return (
            f"An assistant answered {self.answered:,} of {self.tickets:,} tickets "
            f"({100 * self.share:.0f} %), the others waited for agents; {self.back:,} of the "
            "answered came to agents later. It passes tickets on by chance alone, whatever they "
            "are about: categories are those of the tickets that agents got."
        )


def behind_assistant(history: DeskHistory) -> tuple[DeskHistory, SeenAssistant | None]:
    """The desk of agents behind the assistant of a history, and the assistant.

    None where it answered nothing: then all tickets are the agents', as they are.
    """
    log = history.log
    tickets = log.tickets
    came = tickets["arrived_s"] >= 0
    by_assistant = came & _answered_first(history)
    if not by_assistant.any():
        return history, None
    visits = log.visits[log.visits["queued_s"].notna().to_numpy()]
    queued = tickets["ticket_id"].map(visits.groupby("ticket_id")["queued_s"].min())
    answer_s = (tickets["responded_s"] - tickets["arrived_s"])[by_assistant]
    passed = came & ~by_assistant & queued.notna()
    back = by_assistant & queued.notna()
    seen = SeenAssistant(
        int((by_assistant | passed).sum()), int(by_assistant.sum()), int(back.sum()),
        _known(answer_s), _known((queued - tickets["arrived_s"])[passed]),
        _known((queued - tickets["responded_s"])[back]),
    )  # fmt: skip
    own = queued.notna()
    theirs = tickets[own].assign(arrived_s=queued[own]).reset_index(drop=True)
    ids = theirs["ticket_id"]
    timeline, kept = (frame[frame["ticket_id"].isin(ids)].reset_index(drop=True)
                      for frame in (log.timeline, log.visits))  # fmt: skip
    extra = {name: frame[frame["ticket_id"].isin(ids)].reset_index(drop=True)
             for name, frame in history.extra.items()}  # fmt: skip
    part = replace(log, tickets=theirs, timeline=timeline, visits=kept)
    return replace(history, log=part, extra=extra), seen


def _answered_first(history: DeskHistory) -> pd.Series[bool]:
    """True of each ticket whose first response was the assistant's."""
    log = history.log
    events = history.extra["events"]
    answers = events[(events["agent"] == "assistant") & (events["status"] == "Resolved")]
    first = log.tickets["ticket_id"].map(answers.groupby("ticket_id")["time_s"].min())
    started = log.visits.groupby("ticket_id")["started_s"].min()
    begun = log.tickets["ticket_id"].map(started)
    plain = (log.tickets["resolved_by"].astype(object) == "assistant") & first.isna()
    found: pd.Series[bool] = (first.notna() | plain) & ~(begun < first)
    return found


def _known(values: pd.Series[float]) -> Floats:
    found = values.to_numpy(dtype=np.float64)
    return np.maximum(found[~np.isnan(found)], 0.0)


def _times(values_s: Floats) -> Data:
    """A distribution of times, as a scenario file has it."""
    if len(values_s) < _FEWEST:
        mean_s = float(values_s.mean()) if len(values_s) else 0.0
        return {"distribution": "constant", "value": f"{mean_s:.6g}s"}
    levels = (np.arange(_LISTED) + 0.5) / _LISTED
    listed = [round(float(one), 4) for one in np.quantile(values_s, levels)]
    return {"distribution": "empirical", "values": listed, "unit": "1s"}
