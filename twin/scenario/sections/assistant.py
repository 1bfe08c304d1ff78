"""The language-model step, how it learns, and the provider that runs it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from twin.scenario.sections.base import (
    Growth,
    LongDuration,
    Section,
    Share,
    fail,
)
from twin.scenario.sections.profile import Profile
from twin.scenario.units import Duration


def answering_model(backend: str, model: str) -> str:
    """Name of the language model behind a backend's answers; empty where none answers.

    `embedded` borrows a model's speed and price, never its words.
    """
    return "" if backend == "embedded" else model


class MaxTokens(Section):
    """Most tokens the model may write, by step."""

    categorize: Annotated[int, Field(ge=1, le=100_000)] = Field(50, description="for a category")
    respond: Annotated[int, Field(ge=1, le=100_000)] = Field(200, description="for an answer")


class Learning(Section):
    """Learning from feedback (see `twin.assistant.learning.learning`)."""

    mode: Literal["off", "examples", "bandit"] = Field(
        "off",
        description="off; examples: well and badly rated answers go into the prompt; bandit: "
        "prompt versions compete by Thompson sampling",
    )
    versions: list[str] = Field(
        ["1", "brief"],
        min_length=2,
        description="prompt versions: the first is in use, also with mode off; the others compete "
        "with it in the bandit",
    )
    every: LongDuration = Field(86400.0, description="time between looks at the ratings")
    explore: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2, description="share of answers by a version drawn at random, so that versions compare"
    )
    error_rate: Annotated[float, Field(gt=0, le=0.5)] = Field(
        0.05, description="chance that anything is promoted where ratings say nothing"
    )
    examples: Annotated[int, Field(ge=1, le=10)] = Field(
        2, description="examples in a prompt, to follow and as many to avoid"
    )
    feedback: str | None = Field(
        None, description="feedback store (JSON) that the run starts from, for examples"
    )
    change: str | None = Field(
        None,
        description="change of the prompt that the guard let pass (`twin reflect`), for models",
    )
    effect: dict[str, Annotated[float, Field(ge=-1, le=1)]] = Field(
        {},
        description="for backend profile, which has no texts to learn from: the assumed change "
        "of quality by version of the bandit",
    )


# Of shares: 0.1 is 10 points.
Points = Annotated[float, Field(ge=-1, le=1)]


class Support(Section):
    """Drafts and suggestions that agents work with: they are faster, most of all the new ones.

    Defaults: Brynjolfsson, Li and Raymond, Generative AI at work, Quarterly Journal of Economics
    140(2), 2025: 5,172 agents of one firm, 2020 to 2021, issues resolved an hour: 15 % more on
    average (0.301 on 1.97), about 30 % among the least experienced, next to nothing among the most
    experienced; intervals are not known here. The straight line between the two is assumed. Of the
    quality of answers the abstract gives directions only: better among the less experienced, a
    little worse among the most experienced.
    """

    gain: Growth = Field(
        0.15,
        description="more work done an hour, of agents whose tenure is not given (Brynjolfsson, Li "
        "and Raymond 2025, 5,172 agents in 2020 to 2021: 15 % on average; interval not known here)",
    )
    gain_new: Growth = Field(
        0.3,
        description="likewise, at tenure 0 (same source: about 30 % among the least experienced)",
    )
    gain_experienced: Growth = Field(
        0.0,
        description="likewise, from `experienced_after` on (same source: next to nothing); between "
        "the two on a straight line (assumed)",
    )
    experienced_after: LongDuration = Field(
        365 * 86400.0, description="tenure from which nothing changes any more (assumed)"
    )
    solved: Points = Field(
        0.0,
        description="added to the share of agents' answers that solve (`customers.solved.agent`), "
        "of agents whose tenure is not given (assumed: none)",
    )
    solved_new: Points = Field(
        0.0,
        description="likewise, at tenure 0 (same source: the less experienced answer better; the "
        "size is not known here, so none is assumed)",
    )
    solved_experienced: Points = Field(
        0.0,
        description="likewise, from `experienced_after` on (same source: a little worse; assumed: "
        "none); between the two on a straight line (assumed)",
    )

    def factor(self, tenure_s: float | None) -> float:
        """Factor on the speed of an agent by tenure.

        Examples
        --------
        >>> of = Support()
        >>> of.factor(None), of.factor(0.0), round(of.factor(365 * 43200.0), 9), of.factor(1e9)
        (1.15, 1.3, 1.15, 1.0)
        """
        return 1.0 + self._at(tenure_s, self.gain, self.gain_new, self.gain_experienced)

    def solves_more(self, tenure_s: float | None) -> float:
        """Change of the share of an agent's answers that solve, by tenure.

        Examples
        --------
        >>> of = Support(solved_new=0.1, solved_experienced=-0.02)
        >>> of.solves_more(None), of.solves_more(0.0), round(of.solves_more(1e9), 9)
        (0.0, 0.1, -0.02)
        """
        return self._at(tenure_s, self.solved, self.solved_new, self.solved_experienced)

    @property
    def changes_quality(self) -> bool:
        """True if support changes how often answers of any agent solve."""
        return bool(self.solved or self.solved_new or self.solved_experienced)

    def _at(self, tenure_s: float | None, unknown: float, new: float, old: float) -> float:
        if tenure_s is None:
            return unknown
        return new + min(tenure_s / self.experienced_after, 1.0) * (old - new)


class Assistant(Section):
    """The language-model step."""

    role: Literal["full", "triage", "off"] = Field(
        "full",
        description="full: categorizes and responds; triage: only categorizes; off: humans only",
    )
    backend: Literal["embedded", "profile", "groq", "replay"] = Field(
        "embedded", description="where answers come from (see README)"
    )
    model: str = Field(
        "openai/gpt-oss-20b", description="a model of the catalogue (`twin models` lists them)"
    )
    temperature: Annotated[float, Field(ge=0, le=2)] = Field(
        0.2, description="how much the model varies; 0 is least"
    )
    max_tokens: MaxTokens = MaxTokens()
    retrieval: bool = Field(True, description="look up knowledge articles (RAG)")
    knowledge: str | None = Field(None, description="folder of Markdown articles")
    skip_bad_articles: bool = Field(
        False,
        description="go on without articles that cannot be read (`--skip-bad`); they are counted",
    )
    articles: Annotated[int, Field(ge=1, le=20)] = Field(3, description="articles a question (k)")
    floor: Annotated[float, Field(ge=-1, le=1)] = Field(
        0.2, description="similarity below which an article is not used"
    )
    confidence_threshold: Share = Field(
        0.0, description="below this confidence a human takes the ticket: see unsure"
    )
    unsure: Literal["triage", "handle"] = Field(
        "triage",
        description="below the threshold: triage: an agent names the category, and the assistant "
        "goes on; handle: an agent answers (for role full)",
    )
    unclear: Literal["answer", "escalate", "ask"] = Field(
        "answer",
        description="a ticket that says nothing to go by, in words that the desk's own texts do "
        "not know, with several problems, or a wish for a person: answer: as any other; escalate: "
        "an agent answers; ask: the live desk asks the customer first, a run escalates",
    )
    human_categories: list[str] = Field([], description="always sent to humans")
    review_categories: list[str] = Field(
        [], description='a human approves the draft (Pending Review); "*" means all'
    )
    on_failure: Literal["escalate", "retry", "fallback"] = Field(
        "escalate", description="when the provider fails for good: see provider.retries"
    )
    retry_after: LongDuration = Field(600.0, description="pause between tries for on_failure retry")
    fallback_model: str | None = Field(None, description="second model for on_failure fallback")
    recording: str | None = Field(None, description="recording (JSON lines) for groq and replay")
    samples: Annotated[int, Field(ge=1, le=100)] = Field(
        1, description="different answers recorded for the same prompt"
    )
    judge: Literal["evidence", "model"] = Field(
        "evidence",
        description="who judges what was written: evidence (facts of the article that solves it) "
        "or a model with a rubric, for groq and replay",
    )
    judge_model: str | None = Field(None, description='the model that judges, for judge "model"')
    profile: Profile = Profile()
    learning: Learning = Learning()
    support: Support | None = Field(
        None,
        description="help for agents by drafts and suggestions, also with role off; given: agents "
        "are told apart; default: none",
    )

    @model_validator(mode="after")
    def _check(self) -> Assistant:
        if (self.on_failure == "fallback") != (self.fallback_model is not None):
            raise fail('fallback_model and on_failure = "fallback" go together')
        if self.unsure == "handle" and self.role == "triage":
            raise fail('unsure = "handle" goes with role = "full": else agents answer all tickets')
        if self.judge == "model" and self.judge_model is None:
            raise fail('judge = "model" needs judge_model, a model of the catalogue')
        return self

    @property
    def asks_live(self) -> bool:
        """True if a run calls a model, so that one process must: of pace and recording."""
        return self.role != "off" and self.backend == "groq"


class Outage(Section):
    """A planned window in which the provider answers nothing."""

    start: Duration = Field(description="time since the start of the run")
    length: LongDuration = Field(description="how long it lasts")


class RandomOutages(Section):
    """Outages at random, exponential up and down times."""

    mean_time_between_failures: LongDuration = Field(description="mean time up")
    mean_time_to_repair: LongDuration = Field(description="mean time down")


class Provider(Section):
    """The service that runs the model: its limits and its failures."""

    plan: Literal["free", "developer", "unlimited"] = Field(
        "developer", description="limits come from the catalogue, by plan"
    )
    concurrency: Annotated[int, Field(ge=1)] | None = Field(
        None, description="calls under way at once; default: no limit"
    )
    rpm: Annotated[int, Field(ge=1)] | None = Field(None, description="requests a minute")
    rpd: Annotated[int, Field(ge=1)] | None = Field(None, description="requests a day")
    tpm: Annotated[int, Field(ge=1)] | None = Field(None, description="tokens a minute")
    tpd: Annotated[int, Field(ge=1)] | None = Field(None, description="tokens a day")
    timeout: LongDuration = Field(30.0, description="a call is given up after this")
    retries: Annotated[int, Field(ge=0, le=20)] = Field(3, description="tries after the first")
    backoff: LongDuration = Field(1.0, description="first pause; doubles with each try")
    max_backoff: LongDuration = Field(60.0, description="longest pause")
    outages: list[Outage] = Field(
        [], description="planned; all models of the provider are down together"
    )
    random_outages: RandomOutages | None = None
