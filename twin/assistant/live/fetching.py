"""Fetch many answers: concurrently, at the pace that the limits allow, each recorded as it comes.

It knows no SDK: `send` makes one HTTP request and raises the errors of `twin.assistant.errors`.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from twin.assistant.asking import Ask, Asking
from twin.assistant.catalogue import cost_usd
from twin.assistant.errors import (
    AssistantError,
    BadAnswer,
    BudgetReached,
    RateLimited,
    Stopped,
    TimedOut,
    TooLarge,
)
from twin.assistant.live import pacing
from twin.assistant.live.pacing import CAUTION, Pacer, Slot
from twin.assistant.live.wire import Sent
from twin.assistant.recorded.recording import Recording, Reply
from twin.scenario.model import Provider

# Calls under way at once where the scenario does not say.
CONCURRENCY = 32
# Wall time beyond the scenario's timeout after which a call is over whatever it does.
MARGIN_S = 1.0
# A longer pause than this (in minutes' limits) is a limit of a day's: not worth waiting for.
PATIENCE = 1.25
# Times that a call is sent again after a 429; other failures follow provider.retries.
LIMITED_TRIES = 8
# A pause that is told and shorter is none: calls would follow each other as fast as they fail.
_SHORTEST_S = 0.01

Send = Callable[[dict[str, Any]], Awaitable[Sent]]


@dataclass
class Tally:
    """Counts of the work done so far.

    Attributes
    ----------
    sent, limited : int
        HTTP requests, and those of them answered 429.
    answered : int
        Calls that ended in an answer, now recorded.
    failed : Counter
        Calls that failed, by type of error; `words` says what the last of each said.
    prompt_tokens, completion_tokens : int
    uncounted : int
        Answers whose tokens the provider did not count, so that they are estimated.
    spent_usd : float
        By the catalogue's price; NaN where that is unknown.
    started_s, ended_s : float
        Moments of the first request and the last end, on a monotonic clock.
    """

    sent: int = 0
    limited: int = 0
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    words: dict[str, str] = field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0
    spent_usd: float = 0.0
    started_s: float = math.nan
    ended_s: float = math.nan


@dataclass(frozen=True)
class Bounds:
    """Bounds of a batch: time, retries, calls under way and money.

    Attributes
    ----------
    timeout_s, retries, backoff_s, max_backoff_s, concurrency
        See `twin.scenario.Provider`.
    max_cost_usd : float
        Not to be exceeded, whatever the calls under way may cost.
    """

    timeout_s: float
    retries: int
    backoff_s: float
    max_backoff_s: float
    concurrency: int = CONCURRENCY
    max_cost_usd: float = math.inf

    @classmethod
    def of(
        cls,
        provider: Provider,
        concurrency: int | None = None,
        max_cost_usd: float | None = None,
    ) -> Bounds:
        """Bounds that a scenario sets."""
        return cls(
            timeout_s=provider.timeout,
            retries=provider.retries,
            backoff_s=provider.backoff,
            max_backoff_s=provider.max_backoff,
            concurrency=concurrency or provider.concurrency or CONCURRENCY,
            max_cost_usd=math.inf if max_cost_usd is None else max_cost_usd,
        )


class Fetcher:
    """Fetches answers.

    Parameters
    ----------
    send : callable
        Makes one request.
    asking : Asking
    pacer : Pacer
    recording : Recording
    bounds : Bounds
    watch : callable, optional
        Called with the tally whenever a call has ended; an error that it raises ends the batch.
    sdk : str
        Noted in the recording.
    tally : Tally, optional
        To go on counting in; a limit in USD then holds for all that count in it.
    """

    def __init__(
        self,
        send: Send,
        asking: Asking,
        pacer: Pacer,
        recording: Recording,
        bounds: Bounds,
        watch: Callable[[Tally], None] | None = None,
        sdk: str = "",
        tally: Tally | None = None,
    ) -> None:
        self.tally = Tally() if tally is None else tally
        self._send = send
        self._asking = asking
        self._pacer = pacer
        self._recording = recording
        self._bounds = bounds
        self._watch = watch
        self._sdk = sdk
        self._reserved_usd = 0.0
        self._under_way = 0
        self._jitter = random.Random()
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def limits(self) -> dict[str, int]:
        """The limits that apply, as known now."""
        return self._pacer.limits

    def stop(self) -> None:
        """Send no more; what is under way may end. To be called on the loop."""
        self._stop.set()
        self._changed.set()

    async def fetch(self, asks: Sequence[Ask]) -> dict[str, Reply | AssistantError]:
        """Fetch and record asks of different keys: by key the reply, or how the call failed.

        Raises
        ------
        AssistantError
            Of a kind that no other call can mend, or `Stopped`. What came before it is recorded.
        """
        self._stop.clear()
        queue = iter(asks)
        done: dict[str, Reply | AssistantError] = {}
        fatal: list[BaseException] = []

        async def work() -> None:
            for ask in queue:
                try:
                    done[ask.key] = await self._one(ask)
                    self._note(done[ask.key])
                except Stopped:
                    return
                except Exception as error:
                    fatal.append(error)
                    self.stop()
                    return

        await asyncio.gather(*(work() for _ in range(min(self._bounds.concurrency, len(asks)))))
        if fatal:
            raise fatal[0]
        if len(done) < len(asks):
            raise Stopped
        return done

    def _note(self, end: Reply | AssistantError) -> None:
        if isinstance(end, Reply):
            self.tally.answered += 1
        else:
            self.tally.failed[type(end).__name__] += 1
            self.tally.words[type(end).__name__] = str(end)
        if self._watch is not None:
            self._watch(self.tally)

    async def _one(self, ask: Ask) -> Reply | AssistantError:
        """One answer, or how the call failed for good; fatal errors are raised."""
        request = ask.request
        heard: list[Sent] = []
        repaired = False
        failures = limited = 0
        while True:
            try:
                heard.append(await self._paced(request, ask))
                self._asking.check(ask.step, heard[-1].answer, heard[-1].finish)
                reply = self._reply(ask, heard, repaired)
                self._recording.add(reply)
                return reply
            except BadAnswer as error:
                if repaired:
                    return error
                repaired = True
                request = self._asking.repair(ask, heard[-1].answer if heard else "", error)
                continue
            except AssistantError as error:
                if error.outcome is None:  # Stopped among them.
                    raise
                limited += isinstance(error, RateLimited)
                failures += not isinstance(error, RateLimited)
                enough = failures > self._bounds.retries or limited > LIMITED_TRIES
                if not error.again or enough or self._too_long(error):
                    return error
                pause = self._pause(max(failures, limited), error)
            await self._sleep(pause)

    def _too_long(self, error: AssistantError) -> bool:
        return (error.retry_after_s or 0.0) > PATIENCE * pacing.MINUTE_S

    def _pause(self, tries: int, error: AssistantError) -> float:
        if isinstance(error, RateLimited) and (error.retry_after_s or 0.0) >= _SHORTEST_S:
            return 0.0  # The pacer holds everything back.
        bounds = self._bounds
        pause = min(bounds.max_backoff_s, bounds.backoff_s * 2.0 ** (tries - 1))
        return max(pause * (1 - 0.25 * self._jitter.random()), error.retry_after_s or 0.0)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
        if self._stop.is_set():
            raise Stopped

    async def _paced(self, request: dict[str, Any], ask: Ask) -> Sent:
        """One request, when its turn has come."""
        prompt = sum(len(m["content"]) for m in request["messages"]) // 4 + 1
        room = ask.room
        dearest = self._dearest(prompt, room)
        slot = await self._slot(prompt, room, dearest)
        tally = self.tally
        tally.sent += 1
        if math.isnan(tally.started_s):
            tally.started_s = time.monotonic()
        sent: Sent | None = None
        failed: AssistantError | None = None
        try:
            sent = await self._within(request)
        except AssistantError as error:
            failed = error
        finally:
            # Also when it was cancelled: what it reserved must not stay reserved.
            self._end(slot, sent, failed, dearest)
        if isinstance(failed, RateLimited) and self._never_fits(failed, prompt, room):
            raise TooLarge
        if failed is not None:
            raise failed
        assert sent is not None
        return sent

    def _never_fits(self, error: RateLimited, prompt: int, room: int) -> bool:
        """True if a call that was refused is larger than a limit, so that waiting does not help."""
        of_requests = error.limit is not None and error.limit[0].startswith("r")
        return not (of_requests or self._pacer.fits(prompt, room))

    async def _within(self, request: dict[str, Any]) -> Sent:
        self._under_way += 1
        at_once = self._under_way
        try:
            async with asyncio.timeout(self._bounds.timeout_s + MARGIN_S):
                return replace(await self._send(request), at_once=at_once)
        except TimeoutError:
            pass
        finally:
            self._under_way -= 1
        raise TimedOut

    async def _slot(self, prompt: int, room: int, dearest: float) -> Slot:
        # One at a time, first come, first served: a large prompt is not overtaken for ever.
        async with self._turn:
            while not self._stop.is_set():
                now = time.monotonic()
                wait = self._pacer.wait_s(prompt, room, now)
                if wait <= 0:
                    self._afford(dearest)
                    return self._pacer.send(prompt, room, now)
                if math.isfinite(wait) and wait > PATIENCE * pacing.MINUTE_S:
                    raise RateLimited(wait)
                self._changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(
                        self._changed.wait(), wait if math.isfinite(wait) else None
                    )
            raise Stopped

    def _dearest(self, prompt: int, room: int) -> float:
        tokens = math.ceil(prompt * max(CAUTION, 1.2 * self._pacer.ratio)) + 100
        return cost_usd(self._asking.model, tokens, room)

    def _afford(self, dearest: float) -> None:
        limit = self._bounds.max_cost_usd
        if self.tally.spent_usd + self._reserved_usd + dearest > limit:
            raise BudgetReached(limit, self.tally.spent_usd)
        self._reserved_usd += dearest

    def _end(
        self, slot: Slot, sent: Sent | None, failed: AssistantError | None, dearest: float
    ) -> None:
        now, tally = time.monotonic(), self.tally
        tally.ended_s = now
        self._reserved_usd -= dearest
        if sent is not None:
            self._pacer.read(slot, sent.limits, now)
            # Cached tokens count towards no limit.
            counted = max(sent.prompt_tokens - sent.usage.get("cached_tokens", 0), 0)
            self._pacer.end(slot, now, counted, sent.completion_tokens)
            tally.prompt_tokens += sent.prompt_tokens
            tally.completion_tokens += sent.completion_tokens
            tally.uncounted += not sent.counted
            cost = cost_usd(self._asking.model, sent.prompt_tokens, sent.completion_tokens)
            # Tokens that the provider did not count may have been more: a budget must assume it.
            tally.spent_usd += cost if sent.counted else dearest
        else:
            refused = isinstance(failed, RateLimited)
            if isinstance(failed, RateLimited):
                tally.limited += 1
                self._pacer.limited(failed.retry_after_s, failed.limit, now)
            self._pacer.read(slot, {} if failed is None else failed.limits, now)
            self._pacer.end(slot, now, refused=refused)
            if failed is None or failed.billed:
                # Nobody says if it was charged: a budget must assume that it was.
                tally.spent_usd += dearest
        self._changed.set()

    def _reply(self, ask: Ask, heard: list[Sent], repaired: bool) -> Reply:
        sent = heard[-1]
        prompt = sum(one.prompt_tokens for one in heard)
        completion = sum(one.completion_tokens for one in heard)
        cost = cost_usd(self._asking.model, prompt, completion)
        return Reply(
            key=ask.key,
            step=ask.step,
            model=self._asking.model.name,
            prompt_version=ask.version,
            sample=ask.sample,
            request=ask.request,
            answer=sent.answer,
            finish=sent.finish,
            repaired=repaired,
            prompt_tokens=prompt,
            completion_tokens=completion,
            latency_s=round(math.fsum(one.latency_s for one in heard), 6),
            cost_usd=None if math.isnan(cost) else round(cost, 9),
            usage=sent.usage,
            timings=sent.timings,
            at_once=max(one.at_once for one in heard),
            limits=dict(sent.limits),
            recorded=datetime.now(UTC).isoformat(timespec="milliseconds"),
            sdk=self._sdk,
        )
