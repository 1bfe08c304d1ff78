"""Backend `groq`: live answers over the official SDK, each kept in the recording.

The only module that imports the SDK. The SDK neither sleeps nor retries here: pace, retries and
deadlines are `fetching`'s. Every fault ends as an error of `twin.assistant.errors`,
raised outside of the handler of the SDK's own, whose request holds the key in its headers.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from twin.assistant import catalogue, errors, prompts
from twin.assistant.asking import Ask, Asking
from twin.assistant.catalogue import Model, cost_usd
from twin.assistant.errors import AssistantError
from twin.assistant.live import streaming, wire
from twin.assistant.live.background import Background
from twin.assistant.live.fetching import Bounds, Fetcher, Tally
from twin.assistant.live.pacing import DAY_S, Pacer
from twin.assistant.live.settings import Settings
from twin.assistant.live.wire import Sent
from twin.assistant.protocol import Answers, Questions
from twin.assistant.recorded.recording import Recording, Reply, open_recording
from twin.scenario.model import Scenario

if TYPE_CHECKING:
    import groq


class Caller:
    """Makes single requests.

    Parameters
    ----------
    settings : Settings
    timeout_s : float
    model : Model
        For messages.
    stream : bool
        Ask for answers as streams, to know when their first token came.
    """

    def __init__(
        self, settings: Settings, timeout_s: float, model: Model, stream: bool = False
    ) -> None:
        self._stream = stream
        self._settings = settings
        self._timeout_s = timeout_s
        self._model = model
        self._client: groq.AsyncGroq | None = None

    def _ready(self) -> groq.AsyncGroq:
        if self._client is None:
            from groq import AsyncGroq, DefaultAsyncHttpxClient

            from twin.assistant.live import bounded

            # At its debug level the SDK logs whole requests, customers' words included.
            logging.getLogger("groq._base_client").setLevel(logging.INFO)
            try:
                self._client = AsyncGroq(
                    api_key=self._settings.key,
                    base_url=self._settings.url,
                    timeout=self._timeout_s,
                    max_retries=0,
                    # Its own would follow the server anywhere, with customers' words.
                    http_client=DefaultAsyncHttpxClient(
                        timeout=self._timeout_s,
                        follow_redirects=False,
                        headers={"accept-encoding": bounded.ENCODING},
                        event_hooks={"response": [bounded.bound]},
                    ),
                )
            except Exception:
                # Key and address were looked at before: it is what httpx finds by itself, and it
                # has an error of its own for each; its words may hold a password.
                raise errors.WrongEnvironment from None
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def send(self, request: dict[str, Any]) -> Sent:
        """Make one request.

        Raises
        ------
        AssistantError
            Of the kind that fits the fault.
        """
        import groq
        import httpx

        from twin.assistant.live.bounded import OutOfBounds

        completions = self._ready().chat.completions.with_raw_response
        failure: AssistantError | None = None
        first_s: float | None = None
        # Not in the request that is recorded: it changes no answer.
        as_stream = self._stream and streaming.streams(request)
        more: dict[str, Any] = {}
        if as_stream:
            more = {"stream": True, "extra_body": streaming.WITH_COUNTS}
        begun = time.perf_counter()
        try:
            response = await completions.create(**request, **more)
            if as_stream:
                async with aclosing(response.http_response):
                    lines = response.http_response.aiter_lines()
                    body, first_s = await streaming.gather(lines, begun)
            else:
                body = await response.read()
        except (groq.APITimeoutError, httpx.TimeoutException):
            # A stream is read here and not by the SDK, so its faults are httpx's own.
            failure = errors.TimedOut()
        except groq.APIStatusError as error:
            failure = wire.failure(
                error.status_code,
                _said(error.response.content),
                error.response.headers,
                self._model,
            )
        except Exception as error:
            # Of any type, where bytes are not what their headers say; they may hold the request.
            if isinstance(error, OutOfBounds) or isinstance(error.__cause__, OutOfBounds):
                failure = errors.BrokenResponse("too long, or packed in a way that is not read")
            elif isinstance(error, groq.APIConnectionError | httpx.TransportError | OSError):
                failure = errors.Unreachable()
            else:
                failure = errors.BrokenResponse("unreadable")
        latency_s = time.perf_counter() - begun
        if failure is not None:
            raise failure
        messages = request["messages"]
        sent = wire.read_completion(body, latency_s, response.headers, messages, self._model)
        if first_s is None:
            return sent
        return replace(sent, timings=sent.timings | {streaming.FIRST_TOKEN: round(first_s, 6)})


def _said(body: bytes) -> object:
    try:
        return wire.read_json(body)
    except ValueError:
        return None


class GroqAssistant:
    """Assistant of backend `groq`.

    What the recording holds is not asked again. Without `assistant.recording` answers are kept in
    memory.

    Parameters
    ----------
    scenario : Scenario
    categories : sequence of str
    model : Model
    concurrency : int, optional
        Calls under way at once, instead of the scenario's.
    max_cost_usd : float, optional
        A batch ends before calls could cost more.
    watch : callable, optional
        Called with the tally whenever a call has ended (on another thread); an error that it
        raises ends the batch.
    tally : Tally, optional
        To go on counting in.
    stream : bool
        Ask for answers as streams, so that the recording has the time to the first token.

    Attributes
    ----------
    tally : Tally
        What was asked so far.

    Raises
    ------
    ModelRetired
        If the catalogue says so; nothing is sent then.
    NoKey, WrongAddress, PlainAddress
        If the environment lacks what it takes.
    RecordingError
        If the recording cannot be read.
    """

    columnar = False
    prompt_version = prompts.PROMPT_VERSION

    def __init__(
        self,
        scenario: Scenario,
        categories: Sequence[str],
        model: Model,
        *,
        concurrency: int | None = None,
        max_cost_usd: float | None = None,
        watch: Callable[[Tally], None] | None = None,
        tally: Tally | None = None,
        stream: bool = False,
    ) -> None:
        self.model = model.name
        self._scenario = scenario
        self._options: dict[str, Any] = {
            "concurrency": concurrency,
            "max_cost_usd": max_cost_usd,
            "watch": watch,
            "stream": stream,
        }
        if model.is_retired(wire.today()):
            successor = model.live_successor(wire.today())
            name = successor.name if successor else None
            raise errors.ModelRetired(model.name, name, f"{model.retired}")
        settings = Settings.find()
        self.asking = Asking(scenario, categories, model)
        self.prompt_version = self.asking.prompt_version
        self.recording = open_recording(scenario.assistant.recording)
        bounds = Bounds.of(scenario.provider, concurrency, max_cost_usd)
        caller = Caller(settings, bounds.timeout_s, model, stream)
        self._fetcher = Fetcher(
            caller.send,
            self.asking,
            paced(scenario, model, self.recording),
            self.recording,
            bounds,
            watch,
            _sdk(),
            tally,
        )
        self.tally = self._fetcher.tally
        self._background = Background(caller.close)
        self._finalizer = weakref.finalize(self, _end, self._background, self.recording)

    def answer(self, questions: Questions) -> Answers:
        """Answer a batch: from the recording, else live. A call that fails is an outcome.

        Raises
        ------
        AssistantError
            If it is of a kind that no other call can mend, such as a wrong key.
        """
        asks, row = self.asking.asks(questions)
        replies: dict[str, Reply | int] = {}
        for key, end in self.fetch(asks).items():
            if isinstance(end, Reply):
                replies[key] = end
            else:
                assert end.outcome is not None
                replies[key] = end.outcome
        return self.asking.answers(questions, asks, row, replies)

    async def answer_async(self, questions: Questions) -> Answers:
        """Answer a batch, awaited: `answer` for programs that have a loop of their own."""
        return await asyncio.to_thread(self.answer, questions)

    def fetch(self, asks: Sequence[Ask]) -> dict[str, Reply | AssistantError]:
        """Replies by key, from the recording or live; an error where a call failed."""
        known = {ask.key: reply for ask in asks if (reply := self.recording.get(ask.key))}
        if len(known) == len(asks):
            return dict(known)
        self.recording.open()
        # Entries that another process added in the meantime are known only now.
        missing = {ask.key: ask for ask in asks if ask.key not in self.recording}
        work = partial(self._fetcher.fetch, list(missing.values()))
        fetched = self._background.run(work, self._fetcher.stop)
        return {ask.key: self.recording.get(ask.key) or fetched[ask.key] for ask in asks}

    def beside(self, model: Model) -> GroqAssistant:
        """An assistant of another model on the same terms, which counts in the same tally.

        Raises
        ------
        UnknownPrice
            If a limit in USD is to hold and the model's price is not known.
        """
        if model.name == self.model:
            return self
        if self._options["max_cost_usd"] is not None and math.isnan(cost_usd(model, 1, 1)):
            raise errors.UnknownPrice(model.name)
        return GroqAssistant(self._scenario, (), model, **self._options, tally=self.tally)

    @property
    def limits(self) -> dict[str, int]:
        """The provider's limits, as known now: of the plan, and as its headers tell."""
        return self._fetcher.limits

    def close(self) -> None:
        """Close connections and recording. Closed twice is closed once."""
        self._finalizer()


def _end(background: Background, recording: Recording) -> None:
    background.close()
    recording.close()


def paced(scenario: Scenario, model: Model, recording: Recording) -> Pacer:
    """The pacer of a scenario's plan, which knows the calls of the last day in the recording."""
    provider = scenario.provider
    pacer = Pacer(catalogue.limits_of(model, provider), catalogue.given_limits(provider))
    now, wall = time.monotonic(), datetime.now(UTC)
    for reply in recording.replies():
        try:
            age_s = (wall - datetime.fromisoformat(reply.recorded)).total_seconds()
        except (TypeError, ValueError):
            continue
        if reply.model == model.name and 0 <= age_s < DAY_S:
            pacer.earlier(reply.prompt_tokens + reply.completion_tokens, now - age_s)
    return pacer


def _sdk() -> str:
    return f"groq {version('groq')}"
