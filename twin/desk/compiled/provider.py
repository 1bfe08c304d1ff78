"""A provider of language models, compiled: see `twin.desk.provider`."""

from __future__ import annotations

from typing import Any

from twin.assistant.protocol import BAD_ANSWER, OK, OUTAGE, RATE_LIMITED, REFUSED, TIMEOUT
from twin.desk.compiled.columns import AGAIN, CALL, ENDED, KIND, NEXT_ANSWERS
from twin.desk.compiled.heap import compiled
from twin.desk.compiled.rows import call_row, later, schedule
from twin.desk.compiled.serving import ask_for
from twin.desk.compiled.tables import (
    byte_of,
    number_of,
    outages,
    providers,
    quotas,
    slots,
    tickets,
    whole_of,
)  # fmt: skip
from twin.desk.provider import ROUNDING


@compiled
def _is_down(d: Any) -> bool:
    """Provider._is_down."""
    low, high = 0, outages(d).shape[0]
    while low < high:
        middle = (low + high) // 2
        if outages(d)[middle, 0] <= d.now:
            low = middle + 1
        else:
            high = middle
    return low > 0 and d.now < outages(d)[low - 1, 1]


@compiled
def _admits(d: Any, i: int) -> bool:
    """Provider._admits."""
    call = tickets(d)[i]
    provider = providers(d)[call.model]
    wait_s = 0.0
    tokens = call.tokens_in + call.tokens_out
    for q in range(provider.quotas_from, provider.quotas_to):
        quota = quotas(d)[q]
        amount = tokens if quota.counts_tokens else 1
        level = quota.level - (d.now - quota.at_s) * quota.drain
        level = level if level > 0.0 else 0.0
        quota.level = level
        quota.at_s = d.now
        excess = level + amount - quota.limit
        if excess > ROUNDING * quota.limit:
            if amount > quota.limit:
                call.outcome = REFUSED
                return False
            wait_s = max(wait_s, excess / quota.drain)
    if wait_s > 0.0:
        call.outcome = RATE_LIMITED
        call.retry_after_s = wait_s
        return False
    for q in range(provider.quotas_from, provider.quotas_to):
        quotas(d)[q].level += tokens if quotas(d)[q].counts_tokens else 1
    return True


@compiled
def _start(d: Any, i: int) -> None:
    """Provider._start."""
    call = tickets(d)[i]
    call.started_s = d.now
    duration = 0.0
    if _is_down(d):
        call.outcome = OUTAGE
    elif _admits(d, i):
        duration = call.latency_s
        if duration > d.timeout:
            duration = d.timeout
            call.outcome = TIMEOUT
    schedule(d, d.now + duration, 0, (CALL << KIND) + i)


@compiled
def send(d: Any, i: int) -> None:
    """A new Attempt, and Provider._send."""
    call = tickets(d)[i]
    slot, provider = slots(d)[call.slot], providers(d)[call.model]
    call.attempts += 1
    call.latency_s = number_of(slot.latency_s, i)
    call.tokens_in = whole_of(slot.tokens_in, i)
    call.tokens_out = whole_of(slot.tokens_out, i)
    call.outcome = byte_of(slot.outcome, i)
    call.retry_after_s = 0.0
    if provider.most >= 0:
        if provider.under_way == provider.most:
            call.next_call = -1
            if provider.first_call < 0:
                provider.first_call = i
            else:
                tickets(d)[provider.last_call].next_call = i
            provider.last_call = i
            return
        provider.under_way += 1
    _start(d, i)


@compiled
def free_connection(d: Any, i: int) -> None:
    """Provider._release, by the end of a ticket's attempt."""
    provider = providers(d)[tickets(d)[i].model]
    if provider.most < 0:
        return
    if provider.first_call >= 0:
        other = provider.first_call
        provider.first_call = tickets(d)[other].next_call
        _start(d, other)
    else:
        provider.under_way -= 1


@compiled
def next_slot(d: Any, i: int) -> int:
    """for_next_attempt: answers for an attempt after one that failed; below 0: not there yet."""
    call = tickets(d)[i]
    if call.outcome == OUTAGE or call.outcome == RATE_LIMITED or call.outcome == REFUSED:
        return int(call.slot)
    return int(slots(d)[call.slot].again)


@compiled
def has_ended(d: Any, i: int) -> bool:
    """Provider.ask and _retry, where an attempt has ended: True if there is no other one."""
    call = tickets(d)[i]
    failed = call.outcome != OK
    again = failed and call.outcome != REFUSED and call.outcome != BAD_ANSWER
    if again and call.attempts <= d.retries:
        slot = next_slot(d, i)
        if slot < 0:
            ask_for(d, i, NEXT_ANSWERS, ENDED)
            return False
        pause = min(d.max_backoff, d.backoff * 2.0 ** (call.attempts - 1))
        pause *= 1 - 0.25 * number_of(d.jitter, i)
        if call.outcome == RATE_LIMITED:
            call.limited += 1
            pause = max(pause, call.retry_after_s)
            call.quota_s += pause
        call.slot = slot
        later(d, d.now + pause, (AGAIN << KIND) + i)
        return False
    call.limited += call.outcome == RATE_LIMITED
    call_row(d, i)
    return True
