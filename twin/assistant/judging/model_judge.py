"""A model as judge: how well an answer serves its ticket, by a rubric.

Its verdicts are calls like the assistant's, kept in the same recording as step "judge": replayed
they cost nothing and are the same every time. A call that fails is no verdict: the batch ends with
an error, and no failure of a service is taken for a bad answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from twin.assistant import catalogue
from twin.assistant.asking import Ask
from twin.assistant.careful import Careful
from twin.assistant.errors import AssistantError, NoVerdict, RecordingMiss
from twin.assistant.judging import rubric
from twin.assistant.judging.judge import RATER_VERSION, Rater, judge_of, to_judge
from twin.assistant.knowledge.knowledge import Knowledge
from twin.assistant.protocol import OK, Answers, Assistant, Floats, Questions
from twin.assistant.recorded.recording import Reply, open_recording, request_key
from twin.scenario.model import Scenario

STEP = "judge"

Fetch = Callable[[Sequence[Ask]], Mapping[str, Reply | AssistantError]]
"""Gets the replies to asks by key, from a recording or live."""


def rater_name(judge: str, model: str | None) -> str:
    """Name and version of a judge of answers, as kept with results."""
    if judge == "evidence" or model is None:
        return f"evidence-{RATER_VERSION}"
    return f"model {model}, rubric-{rubric.RUBRIC_VERSION}"


class ModelJudge:
    """Judge of answers that asks a model.

    Parameters
    ----------
    model : Model
    fetch : callable
    knowledge : Knowledge or None
        All articles there are: the one that solves the ticket is shown to the judge.

    Attributes
    ----------
    rater : str
        Name and version.
    """

    def __init__(
        self, model: catalogue.Model, fetch: Fetch, knowledge: Knowledge | None = None
    ) -> None:
        self.rater = rater_name("model", model.name)
        self._model = model
        self._fetch = fetch
        self._articles = knowledge.articles if knowledge is not None else {}
        self._verdicts: dict[str, Reply] = {}

    @property
    def notes(self) -> list[str]:
        """Number of verdicts behind the figures, and their cost."""
        replies = self._verdicts.values()
        if not replies:
            return []
        tokens = sum(reply.prompt_tokens + reply.completion_tokens for reply in replies)
        costs = [reply.cost_usd for reply in replies]
        known = [cost for cost in costs if cost is not None]
        price = f"{math.fsum(known):.4f} USD" if len(known) == len(costs) else "price unknown"
        return [
            f"answers judged by {self.rater}: {len(replies):,} verdicts, {tokens:,} tokens, "
            f"{price} (not in the desk's own cost)"
        ]

    def quality(
        self, questions: Questions, answers: Answers, article_slugs: Sequence[str]
    ) -> Floats:
        """Quality of each answer of a batch; see `twin.assistant.judging.judge.Judge.quality`.

        Raises
        ------
        NoVerdict
            If calls failed; what was judged before is recorded.
        AssistantError
            If no other call can do better, such as a miss in a replayed recording.
        """
        if answers.quality is not None:
            return np.where(answers.outcome == OK, answers.quality, np.nan)
        there, pairs, row = to_judge(questions, answers)
        # The first ticket of each pair, for messages.
        tickets = questions.ticket[there][np.unique(row, return_index=True)[1]]
        asks = [
            self.ask(questions.texts[text], answers.texts[answer].text, article_slugs[text], ticket)
            for (text, answer), ticket in zip(pairs.tolist(), tickets.tolist(), strict=True)
        ]
        out = np.full(len(questions), np.nan)
        if asks:
            out[there] = self._qualities(asks)[row]
        return out

    def _qualities(self, asks: Sequence[Ask]) -> Floats:
        # Different numbers of one text ask the same.
        distinct = {ask.key: ask for ask in asks if ask.key not in self._verdicts}
        ends = self._fetch(list(distinct.values())) if distinct else {}
        failed = [end for end in ends.values() if not isinstance(end, Reply)]
        self._verdicts |= {key: end for key, end in ends.items() if isinstance(end, Reply)}
        if failed:
            raise NoVerdict(self._model.name, len(failed), str(failed[-1]))
        scores = [rubric.parse_score(self._verdicts[ask.key].answer) for ask in asks]
        return np.array([rubric.quality_of(score) for score in scores])

    def ask(self, ticket: str, answer: str, slug: str, number: int) -> Ask:
        """The request for a verdict.

        Parameters
        ----------
        ticket, answer : str
        slug : str
            Of the article that solves the ticket; empty where none is known.
        number : int
            Ticket index, for messages.
        """
        model = self._model
        request: dict[str, object] = {
            "model": model.name,
            "messages": rubric.judge_messages(ticket, answer, self._articles.get(slug)),
            "temperature": 0.0,
            "max_completion_tokens": rubric.MAX_TOKENS + model.reasoning_tokens,
            "seed": 0,
            "response_format": {"type": "json_object"},
        }
        if model.reasoning_effort is not None:
            request["reasoning_effort"] = model.reasoning_effort
        if model.strict_schema:
            form = {"name": "verdict", "strict": True, "schema": rubric.judge_schema()}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        version = f"rubric-{rubric.RUBRIC_VERSION}"
        return Ask(
            key=request_key(request, 0, version),
            step=STEP,
            sample=0,
            version=version,
            request=request,
            articles=(slug,) if slug else (),
            scores=(1.0,) if slug else (),
            ticket=number,
        )


def recorded(path: str, model: str) -> Fetch:
    """Verdicts as a recording holds them; one that it lacks is a `RecordingMiss`."""
    recording = open_recording(path)

    def fetch(asks: Sequence[Ask]) -> dict[str, Reply | AssistantError]:
        found: dict[str, Reply | AssistantError] = {}
        missing = [ask for ask in asks if ask.key not in recording]
        if missing:
            raise RecordingMiss(
                f"{path} has no verdict of the judge on the answers to {len(missing):,} tickets, "
                f'such as ticket {missing[0].ticket + 1} (model "{model}", '
                f'{missing[0].version}): record them with `twin record`, or use judge = "evidence"'
            )
        for ask in asks:
            reply = recording.get(ask.key)
            assert reply is not None
            found[ask.key] = reply
        return found

    return fetch


def build_judge(
    scenario: Scenario, knowledge: Knowledge | None, assistant: Assistant | None = None
) -> Rater:
    """The judge of answers that a scenario names.

    Parameters
    ----------
    scenario : Scenario
    knowledge : Knowledge or None
        All articles there are.
    assistant : Assistant, optional
        Of backend `groq`: the judge asks on its terms and counts in its tally.

    Raises
    ------
    ScenarioError, AssistantError
        If the judge's model cannot be asked.
    """
    settings = scenario.assistant
    if settings.judge == "evidence" or settings.judge_model is None:
        return judge_of(knowledge)
    model = catalogue.model(settings.judge_model, scenario.models)
    if settings.backend == "replay" and settings.recording is not None:
        return ModelJudge(model, recorded(settings.recording, model.name), knowledge)
    # Not at the top: a run without it needs no SDK.
    from twin.assistant.live.groq import GroqAssistant

    asked = assistant.backend if isinstance(assistant, Careful) else assistant
    if not isinstance(asked, GroqAssistant):
        asked = GroqAssistant(scenario, (), model)
    return ModelJudge(model, asked.beside(model).fetch, knowledge)
