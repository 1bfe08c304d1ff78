"""The feedback loop on the desk's clock: which version answers, and what ratings change."""

from __future__ import annotations

from twin.assistant.learning.bandit import Bandit
from twin.assistant.learning.examples import Examples
from twin.assistant.learning.feedback import load_feedback
from twin.assistant.learning.heldout import HeldOut
from twin.assistant.learning.learning import Event, Guard, Learner, Rated, Version
from twin.demand.luck import Lazy, Stream, Use, view
from twin.demand.tickets import Demand
from twin.desk.answers import ModelAnswers
from twin.desk.kernel import Clock, Life, Process
from twin.desk.ledger import Ledger
from twin.scenario.model import Assistant, Learning


class FeedbackLoop:
    """Lets one assistant learn while the desk runs.

    Parameters
    ----------
    clock : Clock
    settings : Assistant
    demand : Demand
    answers : ModelAnswers
        Of the assistant; asked with the versions that are learned.
    held_out : HeldOut
    ledger : Ledger

    Attributes
    ----------
    notes : list of str
        Ratings to start from that are not about this assistant's answers.
    """

    def __init__(
        self,
        clock: Clock,
        settings: Assistant,
        demand: Demand,
        answers: ModelAnswers,
        held_out: HeldOut,
        ledger: Ledger,
    ) -> None:
        self._clock = clock
        learning = settings.learning
        self._settings = learning
        self.notes: list[str] = []
        self._answers = answers
        self._ledger = ledger
        self._text = view(demand.text)
        self._texts = demand.texts
        self._explore = view(demand.uniform(Stream.EXPLORE))
        self._draws: Lazy[int, memoryview] = Lazy(
            lambda version: view(demand.uniform(Stream.CHOICE, Use(version=version)))
        )
        self._chosen: dict[int, tuple[int, bool]] = {}
        self._learner, events = _start(learning, len(demand.categories), held_out.gain)
        answers.versions = self._learner.versions
        if learning.feedback is not None:
            self._start_from(learning.feedback, settings.backend, demand.categories)
        self._note(events)
        Process(self._looks())

    def _start_from(self, path: str, backend: str, categories: tuple[str, ...]) -> None:
        entries = [e for e in load_feedback(path) if e.category in categories and e.answer]
        own = [entry for entry in entries if entry.is_by(backend, self._answers.assistant.model)]
        for entry in own:
            code = categories.index(entry.category)
            self._learner.rated(
                Rated(code, 0, False, entry.description, entry.answer, entry.rating)
            )
        if others := len(entries) - len(own):
            self.notes.append(
                f"{others} of {len(entries)} rated answers of assistant.learning.feedback are "
                "another assistant's, so nothing is learned from them"
            )

    @property
    def versions(self) -> list[Version]:
        """All versions so far, by number."""
        return self._learner.versions

    def choose(self, ticket: int) -> int:
        """Number of the version that answers a ticket."""
        category = self._ledger.category[ticket]

        def draw(version: int) -> float:
            return float(self._draws[version][ticket])

        choice = self._learner.choose(category, self._explore[ticket], draw)
        self._chosen[ticket] = choice
        return choice[0]

    def rated(self, ticket: int, rating: int) -> None:
        """A customer rated the assistant's answer."""
        version, explored = self._chosen[ticket]
        text, number = self._text[ticket], self._ledger.answer[ticket]
        self._learner.rated(
            Rated(
                category=self._ledger.category[ticket],
                version=version,
                explored=explored,
                ticket=self._texts[text] if text >= 0 else "",
                answer=self._answers.texts.items[number].text if number >= 0 else "",
                rating=rating,
            )
        )

    def _looks(self) -> Life:
        while True:
            yield self._clock.at(self._clock.now + self._settings.every)
            self._note(self._learner.look())

    def _note(self, events: list[Event]) -> None:
        for event in events:
            number = self._answers.version_number(event.version)
            self._ledger.learned(event.category, number, event.event, event.evidence)


def _start(settings: Learning, categories: int, guard: Guard) -> tuple[Learner, list[Event]]:
    """A learner as the scenario asks for, and what the guard said of its first versions."""
    if settings.mode == "bandit":
        bandit = Bandit(settings, categories)
        return bandit, bandit.check(guard)
    return Examples(settings, guard), []
