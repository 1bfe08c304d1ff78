"""The assistant as the desk sees it: a model's answers behind its provider, and a second model."""

from __future__ import annotations

from dataclasses import dataclass

from twin.assistant.protocol import OK, Step
from twin.desk.answers import BY_HUMAN, AnswerColumns, ModelAnswers
from twin.desk.kernel import Clock
from twin.desk.learning import FeedbackLoop
from twin.desk.provider import Ends, Provider, for_next_attempt
from twin.scenario.model import Assistant as Settings


@dataclass(frozen=True)
class ServedModel:
    """One model: all its answers, and the provider that runs it."""

    answers: ModelAnswers
    provider: Provider


class AssistantDesk:
    """Asks the first model, and where it fails does what the scenario says.

    Parameters
    ----------
    clock : Clock
    settings : twin.scenario.Assistant
    models : list of ServedModel
        The model and, for on_failure "fallback", the second one; by their numbers.
    feedback : FeedbackLoop, optional
        Lets the first model learn from ratings.
    """

    def __init__(
        self,
        clock: Clock,
        settings: Settings,
        models: list[ServedModel],
        feedback: FeedbackLoop | None = None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._models = models
        self._first = models[0]
        columnar = all(model.answers.assistant.columnar for model in models)
        self._once = columnar and settings.on_failure == "escalate" and feedback is None
        self._feedback = feedback
        # Number of the model that last answered a step of a ticket, where it was not the first.
        self._other: dict[tuple[int, Step], int] = {}
        self._signed: dict[int, tuple[int, int]] = {}

    def ask(self, ticket: int, step: Step, by_human: bool = False, visit: int = 0) -> Ends:
        """Ask a step, in simulated time.

        Parameters
        ----------
        ticket : int
        step : {"categorize", "respond"}
        by_human : bool
            For respond: whether the category is from a human.
        visit : int
            How often the customer came back before.

        Returns
        -------
        outcome : int
            OK, or how the last call failed where nobody could answer.
        answers : AnswerColumns
        """
        if self._once:
            answers = self._first.answers.columns[step, BY_HUMAN if by_human else 0, visit, 0, 0]
            return self._first.provider.ask(ticket, answers)
        return self._ask_in_turn(ticket, step, by_human, visit)

    def _ask_in_turn(self, ticket: int, step: Step, by_human: bool, visit: int) -> Ends:
        given = BY_HUMAN if by_human else self._other.get((ticket, "categorize"), 0)
        version = 0
        if self._feedback is not None and step == "respond":
            version = self._feedback.choose(ticket)
        again: AnswerColumns | None = None
        while True:
            for number, model in enumerate(self._models):
                asked = version if number == 0 else 0
                answers = model.answers.get(step, given, visit, version=asked)
                answers.need(ticket)
                outcome, last = yield from model.provider.ask(ticket, again or answers)
                if outcome == OK:
                    if number:
                        self._other[ticket, step] = number
                    else:
                        self._other.pop((ticket, step), None)
                    if step == "respond":
                        self._signed[ticket] = (answers.model, answers.version)
                    return outcome, answers
            if self._settings.on_failure != "retry":
                return outcome, last
            # Only the first model is asked again: a second one is for "fallback".
            again = for_next_attempt(last, outcome)
            yield self._clock.at(self._clock.now + self._settings.retry_after)

    def signature(self, ticket: int) -> tuple[int, int]:
        """Numbers of the model and of the prompt version that answered a ticket."""
        if self._once:
            answers = self._first.answers
            return answers.model, answers.version_number(0)
        return self._signed[ticket]

    def rated(self, ticket: int, rating: int) -> None:
        """A customer rated an answer of the assistant."""
        if self._feedback is not None and (ticket, "respond") not in self._other:
            self._feedback.rated(ticket, rating)
