"""Routing, review, escalation and low confidence: one rule set for the simulated and the live desk.

Each rule names the status that a ticket comes to next; both desks act by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twin.records.tables import CATEGORIZED, ESCALATED, IN_PROGRESS, PENDING_REVIEW, RESOLVED
from twin.scenario.model import Scenario

# Just above the confidence in a text that is not clear.
_DOUBTED = 1e-9


@dataclass(frozen=True)
class Rules:
    """The assistant's rules on one desk; categories are codes.

    Attributes
    ----------
    responds : bool
        Whether the assistant answers, or at most categorizes.
    threshold : float
        Below this confidence a human takes the ticket.
    handled_below : float
        Below this one an agent then answers it; else they name its category only.
    asks : bool
        Whether the live desk asks the customers of unclear tickets before an agent has them; a run
        has no second text of a customer, so there the agent has them at once.
    for_humans, for_review : frozenset of int
        Categories that humans answer, and those whose drafts a human approves.
    """

    responds: bool
    threshold: float
    handled_below: float
    asks: bool
    for_humans: frozenset[int]
    for_review: frozenset[int]

    @classmethod
    def of(cls, scenario: Scenario, categories: Sequence[str]) -> Rules:
        """The rules of a scenario."""
        settings = scenario.assistant
        review = settings.review_categories
        responds = settings.role == "full"
        # A text that is not clear has confidence 0: see `twin.assistant.careful`.
        doubted = 0.0 if settings.unclear == "answer" else _DOUBTED
        threshold = max(settings.confidence_threshold, doubted)
        handled = threshold if settings.unsure == "handle" else doubted
        return cls(
            responds=responds,
            threshold=threshold,
            handled_below=handled if responds else 0.0,
            asks=responds and settings.unclear == "ask",
            for_humans=_codes(categories, settings.human_categories),
            for_review=_codes(categories, categories if "*" in review else review),
        )

    def categorized(self, confidence: float) -> int:
        """Status of a ticket whose category the assistant has named."""
        return ESCALATED if confidence < self.threshold else CATEGORIZED

    def handled(self, confidence: float) -> bool:
        """True if an agent answers a ticket that the assistant is so unsure of."""
        return confidence < self.handled_below

    def routed(self, category: int) -> int | None:
        """Status in which a ticket of a known category is answered: the assistant's is IN_PROGRESS.

        An agent's is as in `handed_on`.
        """
        if not self.responds or category in self.for_humans:
            return self.handed_on()
        return IN_PROGRESS

    def handed_on(self) -> int | None:
        """Status of a ticket that an agent has to answer, as where a call failed.

        None where agents answer all tickets: it keeps its status, for nothing was taken from the
        assistant.
        """
        return ESCALATED if self.responds else None

    def drafted(self, category: int) -> int:
        """Status of a ticket for which the assistant has written an answer."""
        return PENDING_REVIEW if category in self.for_review else RESOLVED


def _codes(categories: Sequence[str], names: Sequence[str]) -> frozenset[int]:
    return frozenset(k for k, name in enumerate(categories) if name in names)
