"""A live desk's record as columns: arrivals, model calls, agents' work, ratings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from twin.assistant.protocol import OK, OUTCOMES, Floats, Step
from twin.assistant.recorded.recorded_calls import Calls, Sample
from twin.records.tables import BY_ASSISTANT, WORKERS
from twin.scenario.sections.assistant import answering_model

Row = dict[str, Any]


def speaker(call: Row) -> str:
    """Name of what answered a call: its language model, else its backend (`embedded`)."""
    return answering_model(call["backend"], call["model"]) or str(call["backend"])


@dataclass(frozen=True)
class LiveRecord:
    """A stretch of the live desk's record, out of its store.

    Attributes
    ----------
    desk : dict
        The scenario that it was run by, as plain data.
    began, ended : float
        The stretch, seconds since 1970.
    edges_known : bool
        Whether both ends were given; else they are the first and the last ticket.
    tickets : list of dict
        In order of arrival; rows of the store.
    calls : list of dict
        Model calls of these tickets.
    handle_s, triage_s : array of float
        Agents' work on single tickets: until answered, until categorized; seconds.
    ratings : list of dict
        Feedback on these tickets.
    model : str
        The `speaker` whose calls are measured: the one that answered most, or a given one.
    calls_at_once : int
        Calls that were under way at once at the most, where the desk's scenario does not say.
    """

    desk: dict[str, Any]
    began: float
    ended: float
    edges_known: bool
    tickets: list[Row]
    calls: list[Row]
    handle_s: Floats
    triage_s: Floats
    ratings: list[Row]
    model: str
    calls_at_once: int

    @property
    def rate(self) -> float:
        """Tickets a second."""
        # Between the first and the last ticket lies one interval less than there are tickets.
        number = len(self.tickets) - (0 if self.edges_known else 1)
        return number / (self.ended - self.began)

    @property
    def response_s(self) -> Floats:
        """First response times of the tickets that have one; seconds."""
        times = [t["responded_at"] - t["received_at"] for t in self.tickets if t["responded_at"]]
        return np.array(times, dtype=np.float64)

    @property
    def own(self) -> set[int]:
        """Numbers of the tickets that the measured model answered without an agent."""
        wrote = {
            c["ticket_id"]: speaker(c)
            for c in self.calls
            if c["step"] == "respond" and c["outcome"] == OUTCOMES[OK]
        }
        return {
            t["id"]
            for t in self.tickets
            if t["resolved_by"] == WORKERS[BY_ASSISTANT] and wrote.get(t["id"]) == self.model
        }


def sample_of(history: LiveRecord) -> Sample:
    """The calls of the history's model, as recorded calls from which a profile is measured.

    What a customer waited beyond the calls (reading the request, writing the store) is added to the
    call that categorizes. True categories are not known, so nothing is said of accuracy.
    """
    rest = _overheads(history)
    usual = float(np.median(list(rest.values()))) if rest else 0.0
    rows: dict[Step, list[Row]] = {"categorize": [], "respond": []}
    for call in history.calls:
        if speaker(call) == history.model and call["outcome"] == OUTCOMES[OK]:
            rows[call["step"]].append(call)
    numbers = {t["description"]: k for k, t in enumerate(history.tickets)}
    texts = {t["id"]: numbers[t["description"]] for t in history.tickets}
    steps: dict[Step, Calls] = {}
    for step, found in rows.items():
        if not found:
            continue
        extra = np.zeros(len(found))
        if step == "categorize":
            extra += [rest.get(c["ticket_id"], usual) for c in found]
        steps[step] = _calls(found, extra, [texts[c["ticket_id"]] for c in found])
    versions = Counter(c["prompt_version"] for found in rows.values() for c in found)
    day = datetime.fromtimestamp(history.tickets[-1]["received_at"], UTC).date()
    return Sample(history.model, versions.most_common(1)[0][0], day, (), steps)


def _overheads(history: LiveRecord) -> dict[int, float]:
    """By ticket that the assistant answered: its wait beyond its calls; seconds."""
    inside: Counter[int] = Counter()
    for call in history.calls:
        inside[call["ticket_id"]] += call["ended_at"] - call["asked_at"]
    return {
        t["id"]: max(t["responded_at"] - t["received_at"] - inside[t["id"]], 0.0)
        for t in history.tickets
        if t["resolved_by"] == WORKERS[BY_ASSISTANT] and t["responded_at"]
    }


def _calls(rows: list[Row], extra_s: Floats, texts: list[int]) -> Calls:
    def column(name: str) -> Floats:
        return np.array([np.nan if r[name] is None else r[name] for r in rows], dtype=np.float64)

    unknown = np.full(len(rows), np.nan)
    nobody_knows = np.full(len(rows), -1, dtype=np.int64)
    return Calls(
        tokens_in=column("prompt_tokens"),
        tokens_out=column("completion_tokens"),
        latency_s=column("latency_s") + extra_s,
        queue_s=unknown,
        reading_s=unknown,
        writing_s=unknown,
        truth=nobody_knows,
        said=nobody_knows,
        confidence=column("confidence"),
        quality=unknown,
        articles=column("articles").astype(np.int64),
        max_tokens=column("max_tokens").astype(np.int64),
        text=np.array(texts, dtype=np.int64),
    )
