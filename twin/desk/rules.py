"""Which tickets go to whom: the scenario's rules, as codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twin.scenario.model import Scenario


@dataclass(frozen=True)
class Rules:
    """The assistant's rules on one desk.

    Attributes
    ----------
    responds : bool
        Whether the assistant answers, or only categorizes.
    threshold : float
        Below this confidence a human categorizes.
    for_humans, for_review : frozenset of int
        Categories that humans answer, and those whose drafts a human approves.
    """

    responds: bool
    threshold: float
    for_humans: frozenset[int]
    for_review: frozenset[int]

    @classmethod
    def of(cls, scenario: Scenario, categories: Sequence[str]) -> Rules:
        """The rules of a scenario."""
        settings = scenario.assistant
        review = settings.review_categories
        return cls(
            responds=settings.role == "full",
            threshold=settings.confidence_threshold,
            for_humans=_codes(categories, settings.human_categories),
            for_review=_codes(categories, categories if "*" in review else review),
        )


def _codes(categories: Sequence[str], names: Sequence[str]) -> frozenset[int]:
    return frozenset(k for k, name in enumerate(categories) if name in names)
