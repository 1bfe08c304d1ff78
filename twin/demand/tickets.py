"""Demand: every ticket of a replication, and all its luck, before the clock starts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from twin.common.errors import Fault, ScenarioError
from twin.common.tables import said_twice, twins
from twin.demand.arrivals import Arrived, arrive, arrive_traced, expected
from twin.demand.backlog import Opening, opening
from twin.demand.corpus import Corpus, load_corpus
from twin.demand.luck import FIRST, Floats, Ints, Places, Stream, Use, view
from twin.demand.mix import (
    categories_of,
    category_weights,
    channel_codes,
    channel_names,
    channel_weights,
    pick,
    priority_weights,
    weights_by_hour,
)
from twin.demand.names import check_categories, check_channels
from twin.demand.recorded import read_trace
from twin.demand.sent import known_categories, texts_sent, traced_texts
from twin.scenario import clock
from twin.scenario.model import PRIORITIES, Scenario

NORMAL = PRIORITIES.index("normal")


@dataclass(frozen=True)
class Demand:
    """The tickets of one replication as columns of shape (n,).

    Attributes
    ----------
    seed, replication : int
        With a stream's name they give all luck: see `uniform`.
    arrived_s : array of float
        Moment of arrival, rising; below 0 for tickets of the opening backlog.
    category, priority : array of int
        True category (index into `categories`) and priority (index into `PRIORITIES`).
    text : array of int
        Index into `texts`; -1 on a desk without texts.
    categories : tuple of str
    texts : tuple of str
    articles : tuple of str
        For each text the slug of the article that solves it; empty where unknown.
    corpus : Corpus or None
    places : Places
        Where each ticket's luck lies.
    opening : mapping of int to bool
        Tickets of the opening backlog, by number: whether they wait for an agent. They are the
        first, as they arrived before all others.
    opening_status : mapping of int to int
        Those of them that are in a known status of a workflow: its number.
    opening_since : mapping of int to float
        Those of which it is known when they came into it: the moment, not above 0; seconds.
    channel : array of int or None
        Channel (index into `channels`), -1 where it is not known; None on a desk without channels.
    channels : tuple of str
    """

    seed: int
    replication: int
    arrived_s: Floats
    category: Ints
    priority: Ints
    text: Ints
    categories: tuple[str, ...]
    texts: tuple[str, ...]
    articles: tuple[str, ...]
    corpus: Corpus | None
    places: Places = field(repr=False)
    opening: Mapping[int, bool] = field(default_factory=dict)
    opening_status: Mapping[int, int] = field(default_factory=dict)
    opening_since: Mapping[int, float] = field(default_factory=dict)
    channel: Ints | None = None
    channels: tuple[str, ...] = ()
    _swaps: Mapping[Stream, int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.arrived_s)

    def uniform(self, stream: Stream, use: Use = FIRST) -> Floats:
        """A uniform in [0, 1) for each ticket, shape (n,); the same whenever it is asked for."""
        number = self._swaps.get(stream, self.replication)
        return self.places.uniform(self.seed, number, stream, use)

    def once(self, of: Callable[[], Hashable], make: Callable[[], Floats]) -> Floats:
        """A column made of the tickets' luck; where demand is shared, made once.

        Parameters
        ----------
        of : callable
            Gives all that it is made of beside the demand: another one, another column.
        make : callable
        """
        return make()

    def column(self, make: Callable[[], npt.NDArray[Any]]) -> memoryview:
        """A column of the desk, by the numbers of tickets; `make` makes it of those that are here.

        See `twin.demand.blocks`: where tickets come in blocks, it is called again for each.
        """
        return view(make())

    def room(self, kind: npt.DTypeLike) -> npt.NDArray[Any]:
        """Room for a column of the desk."""
        return np.empty(len(self), kind)

    def as_they_come(self, do: Callable[[], None]) -> None:
        """Do something for all tickets, block by block where they come so."""
        do()

    @property
    def comes_in_blocks(self) -> bool:
        """True if other tickets were here before, or are to come: see `twin.demand.blocks`."""
        return False

    @property
    def numbers(self) -> Any:
        """Numbers of the tickets that are here: where a column of the desk has their values."""
        return slice(0, len(self))

    def at(self, rows: Any) -> Demand:
        """Some of the tickets; none of them is of the opening backlog any more."""
        return replace(
            self,
            arrived_s=self.arrived_s[rows],
            category=self.category[rows],
            priority=self.priority[rows],
            text=self.text[rows],
            places=self.places.at(rows),
            channel=None if self.channel is None else self.channel[rows],
            opening={},
            opening_status={},
            opening_since={},
        )

    def swapped(self, streams: Iterable[Stream], replication: int) -> Demand:
        """The same tickets, but some of their luck is that of another replication.

        Only what is drawn after arrival can be swapped: moments, categories, texts and priorities
        are there already. See `twin.experiments.variance`.
        """
        return replace(self, _swaps={**self._swaps, **dict.fromkeys(streams, replication)})


def draw(scenario: Scenario, replication: int = 0) -> Demand:
    """Draw every ticket of a replication.

    Parameters
    ----------
    scenario : Scenario
    replication : int
        Number of the replication, 0 first; with the scenario's seed it fixes everything.

    Raises
    ------
    ScenarioError
        If a file is unusable, or a category is named that no ticket has.

    Examples
    --------
    >>> from twin.scenario.file import from_data
    >>> pool = {"heads": 1, "handle_time": "5min"}
    >>> desk = from_data({"horizon": "1h", "agents": {"all": pool},
    ...                   "arrivals": {"kind": "constant", "rate": "6/h"}})
    >>> draw(desk).arrived_s
    array([ 600., 1200., 1800., 2400., 3000.])
    """
    recorded: pd.DataFrame | None = None
    if scenario.arrivals.kind == "trace":
        recorded = read_trace(scenario).rows
        arrived = arrive_traced(recorded, scenario, scenario.seed, replication)
    else:
        arrived = arrive(scenario, scenario.seed, replication)
    return draw_arrived(scenario, replication, arrived, recorded)


def draw_arrived(
    scenario: Scenario,
    replication: int,
    arrived: Arrived,
    recorded: pd.DataFrame | None = None,
    opens: bool = True,
) -> Demand:
    """Draw what belongs to tickets that arrive; raises as `draw`.

    Parameters
    ----------
    scenario : Scenario
    replication : int
    arrived : Arrived
    recorded : DataFrame, optional
        The trace that they are rows of.
    opens : bool
        Whether the opening backlog is there before them.
    """
    seed = scenario.seed
    corpus = load_corpus(scenario.tickets.corpus) if scenario.tickets.corpus else None
    trace = None if recorded is None else recorded.iloc[arrived.places.row]
    n, places = len(arrived.time_s), arrived.places

    def luck(stream: Stream) -> Floats:
        return places.uniform(seed, replication, stream)

    # By the whole trace: which rows a replication keeps must not change what there is.
    categories = _categories(scenario, corpus, recorded)
    check_categories(scenario, categories)
    check_channels(scenario, categories)
    if trace is not None and "category" in trace:
        category = np.array([categories.index(name) for name in trace["category"]], dtype=np.int64)
    elif trace is not None and "text" in trace and corpus is not None:
        category = known_categories(scenario, trace["text"], corpus)
    else:
        category = categories_of(
            scenario, corpus, categories, arrived.time_s, luck(Stream.CATEGORY)
        )
    texts: tuple[str, ...] = corpus.texts if corpus else ()
    articles: tuple[str, ...] = corpus.article if corpus else ()
    priority: Ints
    if trace is not None and "text" in trace:
        text, texts, articles = traced_texts(trace["text"], corpus)
        priority = np.full(n, NORMAL)
    elif corpus is not None:
        text = texts_sent(scenario, corpus, categories, category, luck(Stream.TEXT))
        priority = corpus.priority[text]
    else:
        text, priority = np.full(n, -1), np.full(n, NORMAL)
    if (weights := priority_weights(scenario)) is not None:
        priority = pick(weights, luck(Stream.PRIORITY))
    elif trace is not None and "priority" in trace:
        priority = np.array([PRIORITIES.index(name) for name in trace["priority"]], dtype=np.int64)
    drawn = Demand(
        seed,
        replication,
        arrived.time_s,
        category,
        priority,
        text,
        categories,
        texts,
        articles,
        corpus,
        places,
        channels=(channels := channel_names(scenario, recorded)),
        channel=channel_codes(scenario, channels, trace, places, (seed, replication)),
    )
    if scenario.backlog is None or not opens:
        return drawn
    if trace is not None and "text" in trace:
        reason = "the texts of its tickets are not known beside a trace that has texts"
        raise ScenarioError(scenario.name, [Fault("backlog", reason)])
    return _with_backlog(drawn, scenario, opening(scenario, replication, categories, channels))


def _with_backlog(drawn: Demand, scenario: Scenario, there: Opening) -> Demand:
    """The tickets of the opening backlog, and then those that arrive."""
    n, corpus, categories = len(there.arrived_s), drawn.corpus, drawn.categories

    def luck(stream: Stream) -> Floats:
        return there.places.uniform(drawn.seed, drawn.replication, stream)

    category, priority = there.category, there.priority
    if category is None:
        # The mix of the hour in which each arrived is not known: that of the first one stands in.
        at_start = np.zeros(n)
        mix = luck(Stream.CATEGORY)
        category = categories_of(scenario, corpus, categories, at_start, mix)
    text: Ints = np.full(n, -1)
    if corpus is not None:
        text = texts_sent(scenario, corpus, categories, category, luck(Stream.TEXT))
    if priority is None:
        priority = np.full(n, NORMAL) if corpus is None else corpus.priority[text]
        weights = priority_weights(scenario)
        if weights is not None:
            priority = pick(weights, luck(Stream.PRIORITY))
    channel = drawn.channel
    if channel is not None:
        known = there.channel
        if known is None or scenario.tickets.channel_mix is not None:
            own = (drawn.seed, drawn.replication)
            known = channel_codes(scenario, drawn.channels, None, there.places, own)
        channel = np.concatenate([np.full(n, -1) if known is None else known, channel])
    places = Places(
        np.concatenate([there.places.layer, drawn.places.layer]),
        np.concatenate([there.places.row, drawn.places.row]),
    )
    statuses = enumerate([] if there.own is None else there.own.tolist())
    return replace(
        drawn,
        opening_status={k: status for k, status in statuses if status >= 0},
        opening_since={k: since for k, since in enumerate(there.since_s) if since == since},
        arrived_s=np.concatenate([there.arrived_s, drawn.arrived_s]),
        category=np.concatenate([category, drawn.category]),
        priority=np.concatenate([priority, drawn.priority]),
        text=np.concatenate([text, drawn.text]),
        places=places,
        channel=channel,
        opening=dict(enumerate(there.escalated.tolist())),
    )


def category_shares(scenario: Scenario, demand: Demand) -> Floats:
    """Share of each category among the tickets that are expected, by the order of `categories`."""
    if scenario.arrivals.kind == "trace":
        weights = np.bincount(demand.category, minlength=len(demand.categories)).astype(float)
    elif scenario.tickets.category_hours:
        edges = clock.hours(scenario.midnight, scenario.horizon)
        number = np.diff(expected(scenario).before(np.minimum(edges, scenario.horizon)))
        mix = weights_by_hour(scenario, demand.corpus, demand.categories)
        mix /= mix.sum(axis=1, keepdims=True)
        weights = number @ mix[clock.hour_of_week(edges[:-1], scenario.midnight)]
    else:
        weights = category_weights(scenario, demand.corpus, demand.categories)
    shares: Floats = weights / max(weights.sum(), 1e-300)
    return shares


def channel_shares(scenario: Scenario, demand: Demand) -> dict[str, float]:
    """Share of each channel among the tickets that are expected; "" stands for an unknown one."""
    if demand.channel is None:
        return {"": 1.0}
    weights = channel_weights(scenario, demand.channels)
    if weights is None:
        counts = np.bincount(demand.channel + 1, minlength=len(demand.channels) + 1)
        weights = np.append(counts[1:], counts[0]).astype(float)
    total = max(float(weights.sum()), 1e-300)
    names = (*demand.channels, "")
    return {name: w / total for name, w in zip(names, weights.tolist(), strict=False) if w}


def category_names(scenario: Scenario) -> tuple[str, ...]:
    """The categories of a scenario's tickets, without drawing any."""
    corpus = load_corpus(scenario.tickets.corpus) if scenario.tickets.corpus else None
    trace = read_trace(scenario).rows if scenario.arrivals.kind == "trace" else None
    return _categories(scenario, corpus, trace)


def _categories(
    scenario: Scenario, corpus: Corpus | None, trace: pd.DataFrame | None
) -> tuple[str, ...]:
    if trace is not None and "category" in trace:
        names = sorted(set(trace["category"]) | set(corpus.categories if corpus else ()))
        if pair := twins(names):
            # Each file names its own in one way.
            fault = Fault("arrivals.trace", f"category {said_twice(*pair)} (trace and corpus)")
            raise ScenarioError(scenario.name, [fault])
        return tuple(names)
    if corpus is not None:
        return corpus.categories
    return tuple(scenario.tickets.category_mix or ("General",))


def check_mix(scenario: Scenario) -> None:
    """Every hour must have a category that comes in it.

    Raises
    ------
    ScenarioError
        Naming the first hour that has none.
    """
    if scenario.tickets.category_hours:
        corpus = load_corpus(scenario.tickets.corpus) if scenario.tickets.corpus else None
        weights_by_hour(scenario, corpus, category_names(scenario))
