"""The catalogue of models: prices, speeds, limits, retirement dates and successors.

The figures live in `models.toml` beside this file, each model's with source and date. A scenario
adds models of its own, or other figures for a known one: `scenario.models`.
"""

from __future__ import annotations

import difflib
import math
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy import special

from twin.common.errors import Fault, ScenarioError, nearest
from twin.scenario.model import OwnModel, Provider

Floats = npt.NDArray[np.float64]
Positive = Annotated[float, Field(gt=0)]
Limit = Annotated[int, Field(ge=1)] | None

# Time to first byte of a hosted Llama-3.1-8B, public sample of 25 calls: median .208 s, mean
# .267 s. A lognormal has mean / median = exp(sigma^2 / 2).
QUEUE_SIGMA = math.sqrt(2 * math.log(0.267 / 0.208))
STALE_DAYS = 365
# Requests and tokens, a minute and a day, with the period of each.
LIMITS = {"rpm": 60.0, "rpd": 86400.0, "tpm": 60.0, "tpd": 86400.0}


class PriceWarning(UserWarning):
    """A price that is unknown or out of date."""


class Limits(BaseModel):
    """Limits of a plan; None is not limited.

    Attributes
    ----------
    rpm, rpd : int or None
        Requests a minute and a day.
    tpm, tpd : int or None
        Tokens a minute and a day.
    known : bool
        False where no limits were published for the plan, so that None means nobody knows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rpm: Limit = None
    rpd: Limit = None
    tpm: Limit = None
    tpd: Limit = None
    known: bool = True


class _PlanLimits(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    free: Limits = Limits(known=False)
    developer: Limits = Limits(known=False)
    unlimited: Limits = Limits()


class Model(BaseModel):
    """One model of the catalogue; frozen.

    Attributes
    ----------
    name : str
    context : int
        Longest prompt and answer together, in tokens.
    tokens_per_s, input_tokens_per_s : float
        Speed of writing, and of reading the prompt.
    queue_s : float
        Median time in the provider's queue.
    price_in, price_out : float or None
        USD per million tokens; None is unknown, never free.
    strict_schema : bool
        Whether answers can be forced into a JSON schema.
    reasoning_effort : str or None
        What is asked of a model that thinks before it answers; None: it does not.
    reasoning_tokens : int
        Room for its thoughts, added to the token limits of an answer, within which it thinks.
    retired : date or None
        First day on which the free and developer plans refuse it.
    successor : str or None
        Model that the provider recommends instead.
    source, as_of : str, date or None
        Where the figures are from, and of when.
    timing_source : str
        Where `queue_s` and `input_tokens_per_s` are from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    context: Annotated[int, Field(ge=1)]
    tokens_per_s: Positive
    input_tokens_per_s: Positive
    queue_s: Annotated[float, Field(ge=0)]
    price_in: Annotated[float, Field(ge=0)] | None = None
    price_out: Annotated[float, Field(ge=0)] | None = None
    limits_by_plan: _PlanLimits = Field(_PlanLimits(), alias="limits")
    strict_schema: bool = False
    reasoning_effort: Literal["none", "low", "medium", "high"] | None = None
    reasoning_tokens: Annotated[int, Field(ge=0)] = 0
    retired: date | None = None
    successor: str | None = None
    source: str
    as_of: date | None
    timing_source: str

    def limits(self, plan: str) -> Limits:
        """Limits of a plan: "free", "developer" or "unlimited".

        Raises
        ------
        ScenarioError
            If there is no such plan.
        """
        if plan not in _PlanLimits.model_fields:
            allowed = f"allowed: {', '.join(_PlanLimits.model_fields)}"
            fault = Fault("provider.plan", "unknown plan", plan, allowed)
            raise ScenarioError("catalogue", [fault])
        found: Limits = getattr(self.limits_by_plan, plan)
        return found

    def is_retired(self, on: date) -> bool:
        """True if the free and developer plans refuse the model on a day."""
        return self.retired is not None and on >= self.retired

    def is_stale(self, on: date) -> bool:
        """True if the figures were noted more than a year before a day."""
        return self.as_of is not None and (on - self.as_of).days > STALE_DAYS

    def live_successor(self, on: date) -> Model | None:
        """First model of the chain of successors, itself included, that is not retired on a day.

        Returns
        -------
        Model or None
            None where the chain ends in a retired model.
        """
        here: Model | None = self
        # The chain is finite: the catalogue is checked not to go round in a circle.
        while here is not None and here.is_retired(on):
            here = model(here.successor) if here.successor else None
        return here

    def cost_usd(
        self,
        prompt_tokens: npt.ArrayLike,
        completion_tokens: npt.ArrayLike,
        on: date | None = None,
    ) -> Floats:
        """Price of calls in USD.

        Parameters
        ----------
        prompt_tokens, completion_tokens : array-like of number
        on : date, optional
            Day of the question; a price noted more than a year before it warns.

        Returns
        -------
        array of float
            NaN where the price is unknown: never 0.

        Warns
        -----
        PriceWarning
            Once a model, where its price is unknown or out of date.
        """
        tokens_in = np.asarray(prompt_tokens, dtype=float)
        tokens_out = np.asarray(completion_tokens, dtype=float)
        if self.price_in is None or self.price_out is None:
            _warn_once(f'the price of model "{self.name}" is not known: its cost is NaN')
            return np.full(np.broadcast_shapes(tokens_in.shape, tokens_out.shape), np.nan)
        if on is not None and self.is_stale(on):
            _warn_once(f'the price of model "{self.name}" is of {self.as_of}: more than a year old')
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


def cost_usd(model: Model, prompt_tokens: float, completion_tokens: float) -> float:
    """Price of a call; NaN where it is unknown, without the warning of `Model.cost_usd`."""
    if model.price_in is None or model.price_out is None:
        return math.nan
    return (prompt_tokens * model.price_in + completion_tokens * model.price_out) / 1e6


@cache
def _warn_once(message: str) -> None:
    # Not left to the warning filters: they repeat a warning for each place that asks for a cost.
    warnings.warn(message, PriceWarning, stacklevel=3)


@cache
def _shipped() -> dict[str, Model]:
    """Models of the catalogue by name, in the order of the file.

    Raises
    ------
    ValueError
        If `models.toml` is at fault: a wrong figure, or a successor that is not there.
    """
    text = resources.files(__package__).joinpath("models.toml").read_text(encoding="utf-8")
    found = {
        name: Model.model_validate({"name": name, **entry})
        for name, entry in tomllib.loads(text).items()
    }
    for name in found:
        seen = [name]
        while (successor := found[seen[-1]].successor) is not None:
            if successor not in found or successor in seen:
                raise ValueError(f'models.toml: the successor of "{seen[-1]}" leads nowhere')
            seen.append(successor)
    return found


def models(own: Mapping[str, OwnModel] | None = None) -> dict[str, Model]:
    """All models by name: those of the catalogue, then a scenario's own (`scenario.models`).

    Raises
    ------
    ScenarioError
        If a model of the scenario's own lacks what the catalogue does not know either.
    """
    if not own:
        return dict(_shipped())
    if faults := list(own_faults(own)):
        raise ScenarioError("scenario", faults)
    return _shipped() | {name: _own(name, given) for name, given in own.items()}


def own_faults(own: Mapping[str, OwnModel]) -> Iterator[Fault]:
    """Faults of a scenario's own models that show only beside the catalogue."""
    known = _shipped()
    for name, given in own.items():
        for key in ("context", "tokens_per_s") if name not in known else ():
            if getattr(given, key) is None:
                hint = "the catalogue does not know this model"
                yield Fault(f"models.{name}.{key}", "must be given", hint=hint)
        if given.successor is not None and given.successor not in known:
            hint = nearest(given.successor, known)
            key = f"models.{name}.successor"
            yield Fault(key, "not in the catalogue", given.successor, hint)


def _own(name: str, given: OwnModel) -> Model:
    """A model of a scenario's own: what it says, over what the catalogue says, over defaults."""
    data: dict[str, Any] = given.model_dump(exclude_none=True)
    if data.pop("queue", None) is not None:
        data["queue_s"] = given.queue
    if "limits" in data:
        data["limits"] = {"free": data["limits"], "developer": data["limits"]}
    if (known := _shipped().get(name)) is not None:
        return Model.model_validate(known.model_dump(by_alias=True) | data)
    free: dict[str, Any] = {"free": {}, "developer": {}}
    default = {
        "name": name,
        "input_tokens_per_s": data["tokens_per_s"],
        "queue_s": 0.0,
        "limits": free,
        "source": "the scenario",
        "as_of": None,
        "timing_source": "the scenario",
    }
    return Model.model_validate(default | data)


def model(name: str, own: Mapping[str, OwnModel] | None = None) -> Model:
    """The model of a name; `own` are a scenario's own models.

    Raises
    ------
    ScenarioError
        If nobody knows it, with the nearest name.

    Examples
    --------
    >>> from twin.scenario.model import OwnModel
    >>> mine = {"mine": OwnModel(context=4096, tokens_per_s=30.0, price_in=0.0, price_out=0.0)}
    >>> model("mine", mine).tokens_per_s, float(model("mine", mine).cost_usd(1000, 10))
    (30.0, 0.0)
    """
    known = models(own)
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(known)}"
    raise ScenarioError("catalogue", [Fault("assistant.model", "unknown model", name, hint)])


def given_limits(provider: Provider) -> dict[str, int]:
    """Limits that the scenario itself sets, of `LIMITS`."""
    given = {name: getattr(provider, name) for name in LIMITS}
    return {name: limit for name, limit in given.items() if limit is not None}


def limits_of(model: Model, provider: Provider) -> dict[str, int]:
    """Limits that hold for a model, of `LIMITS`: the scenario's own, else those of its plan."""
    of_plan = model.limits(provider.plan).model_dump(exclude={"known"}, exclude_none=True)
    return of_plan | given_limits(provider)


def latency_s(
    model: Model, prompt_tokens: npt.ArrayLike, completion_tokens: npt.ArrayLike, u: npt.ArrayLike
) -> Floats:
    """Time from sending a call to its whole answer: queue, prompt and answer.

    The queue is lognormal around the model's median, as wide as a public sample of times to first
    byte; reading and writing go at the model's speeds.

    Parameters
    ----------
    model : Model
    prompt_tokens, completion_tokens : array-like of number, shape (n,)
    u : array-like of float, shape (n,)
        Uniforms in [0, 1): the luck of each call in the queue.

    Returns
    -------
    array of float, shape (n,)
        Seconds.
    """
    queue = model.queue_s * np.exp(QUEUE_SIGMA * special.ndtri(np.asarray(u, dtype=float)))
    reading = np.asarray(prompt_tokens, dtype=float) / model.input_tokens_per_s
    writing = np.asarray(completion_tokens, dtype=float) / model.tokens_per_s
    return np.asarray(queue + reading + writing, dtype=float)
