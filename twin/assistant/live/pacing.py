"""The pace of asking: just under the limits of the plan, as the provider's headers tell them.

Pure arithmetic over moments that the caller gives, so that it is tested with a clock of its own.
Two things hold a call back. A `Window` counts what was sent against a known limit, in any window
of its period; as a call reaches the provider at some moment between its sending and its end, it
counts until a period after its end, or after `TRANSIT_S` from its sending where that is earlier. A
`Left` follows what the provider says is left: a limit drains evenly, as its messages compute
("Limit 8000, Used 6956, Requested 3570. Please try again in 18.945s" is (6956 + 3570 - 8000) /
8000 x 60 s), and so do the resets of its headers (time until all of it is there again).

What the provider tells may be wrong, such as a moment of 1970's count in place of a pause. So
nothing that it tells holds calls back for good: after a minute without a call one goes out as the
first of a new process would, and what was told before is forgotten. Known limits stay.
"""

from __future__ import annotations

import math
import re
from bisect import insort
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

MINUTE_S = 60.0
DAY_S = 86400.0
# Longest time that a call may take to reach the provider.
TRANSIT_S = 1.0
# Kept free of every limit that the provider reports: calls may overtake each other on the way.
SLACK = 0.02
# So much more than was thought a provider may count for a call.
MOST_SCALE = 4.0
# Share of what it learnt of a provider's counting that a call keeps.
MEMORY = 0.97
# Least factor from estimated to real prompt tokens that a budget assumes.
CAUTION = 1.5

# Names of units by their size in seconds, as servers write them; the micro sign has two codes.
_UNITS = {
    DAY_S: ("d", "day", "days"),
    3600.0: ("h", "hr", "hrs", "hour", "hours"),
    60.0: ("m", "min", "mins", "minute", "minutes"),
    1.0: ("s", "sec", "secs", "second", "seconds"),
    1e-3: ("ms", "msec", "millisecond", "milliseconds"),
    1e-6: ("us", "\u00b5s", "\u03bcs", "microsecond", "microseconds"),
    1e-9: ("ns", "nanosecond", "nanoseconds"),
}
_SECONDS = {name: size for size, names in _UNITS.items() for name in names}
_NAMES = "|".join(sorted(_SECONDS, key=len, reverse=True))
_PART = rf"(\d{{1,20}}(?:\.\d{{0,20}})?)\s?({_NAMES})(?![a-z\u00b5\u03bc])"
# A length of time in words or letters, somewhere in a text.
LENGTH = re.compile(rf"{_PART}(?:(?:,? and |, ?| )?{_PART}){{0,6}}", re.IGNORECASE)
_ONE = re.compile(_PART, re.IGNORECASE)


def parse_length(text: str | None) -> float | None:
    """Seconds of a length such as ``2m59.56s``, ``20ms``, ``2 minutes`` or ``3``.

    Returns
    -------
    float or None
        None if unreadable.

    Examples
    --------
    >>> parse_length("2m59.56s"), parse_length("250ms"), parse_length("soon")
    (179.56, 0.25, None)
    """
    text = (text or "").strip().lower()
    if LENGTH.fullmatch(text):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _ONE.findall(text))
    else:
        try:
            seconds = float(text)
        except ValueError:
            return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


class Window:
    """At most `limit` units in any window of `period_s` seconds, wherever it begins."""

    def __init__(self, limit: float, period_s: float) -> None:
        self.limit = limit
        self.period_s = period_s
        self._open = 0
        self._closed: deque[tuple[float, int]] = deque()
        self._sum = 0

    def wait_s(self, amount: int, now_s: float, limit: float | None = None) -> float:
        """Seconds until `amount` fits; infinite while only the end of a call under way can tell.

        More than the limit fits when nothing else is there: what to do with it is the provider's.
        Another limit may be asked about.
        """
        limit = self.limit if limit is None else limit
        while self._closed and self._closed[0][0] + self.period_s <= now_s:
            self._sum -= self._closed.popleft()[1]
        over = self._open + self._sum + min(amount, limit) - limit
        for ended_s, ended in self._closed:
            if over <= 0:
                break
            over -= ended
            if over <= 0:
                return ended_s + self.period_s - now_s
        return 0.0 if over <= 0 else math.inf

    def send(self, amount: int) -> None:
        """A call of `amount` goes out."""
        self._open += amount

    def end(self, reserved: int, used: int, there_s: float) -> None:
        """A call that was sent with `reserved` has ended: it counts as `used` since `there_s`."""
        self._open -= reserved
        self._sum += used
        # Nearly in order as they come: calls that took longer end later.
        insort(self._closed, (there_s, used))


class Left:
    """The rest of a limit, as the latest response reported it.

    Calls under way count on top, whether or not it knew of them when it told: calls overtake each
    other. It also learns how the provider counts: what is left falls faster than by what was sent
    where it counts more for a call than was thought, or where others use the same limit.
    """

    def __init__(self) -> None:
        self.told = False
        self._limit = self._drain = self._left = self._at_s = 0.0
        self._under_way: dict[int, tuple[int, float]] = {}
        # Both forget slowly.
        self._gone = self._sent = 0.0

    def _there(self, now_s: float) -> float:
        return min(self._left + self._drain * (now_s - self._at_s), self._limit)

    @property
    def _scale(self) -> float:
        # Tokens that it counts less may come back only later: never less than was sent.
        return min(max(1.0, self._gone / self._sent), MOST_SCALE) if self._sent else 1.0

    def wait_s(self, amount: int, now_s: float) -> float:
        """Seconds until `amount` is there."""
        if not self.told:
            return 0.0
        scale, slack = self._scale, SLACK * self._limit
        there = self._there(now_s) - scale * sum(sent for sent, _ in self._under_way.values())
        need = min(scale * amount, self._limit - slack) + slack - there
        return max(0.0, need / self._drain)

    def send(self, order: int, amount: int, now_s: float) -> None:
        """A call goes out, the `order`-th."""
        self._under_way[order] = (amount, now_s)

    def end(self, order: int) -> None:
        """The `order`-th call has ended."""
        self._sent += self._under_way.pop(order)[0]

    def tell(self, order: int, limit: int, left: int, reset_s: float | None, now_s: float) -> None:
        """Take note of what the answer to call number `order` told; call it before `end`."""
        left = min(left, limit)
        # Sent after the last that told was here, so it knows more. Of others, which may have
        # overtaken each other, the one that saw less is the later one.
        later = self._under_way[order][1] >= self._at_s
        if limit < 1 or not (later or left < self._there(now_s) or not self.told):
            return
        # Before the first, all may have been there; if not, what follows corrects it.
        self._gone = MEMORY * (self._gone + (self._there(now_s) if self.told else limit) - left)
        self._sent *= MEMORY
        self.told, self._at_s = True, now_s
        self._limit, self._left = limit, left
        used = limit - left
        # Without a reset: a limit a minute is the shorter guess, and a 429 would correct it.
        # No limit is longer than a day.
        reset_s = min(reset_s or 0.0, DAY_S)
        self._drain = used / reset_s if reset_s and used > 0 else limit / MINUTE_S


@dataclass(frozen=True)
class Slot:
    """A call that went out: its number and moment, its prompt as estimated, what is reserved."""

    order: int
    sent_s: float
    estimated: int
    prompt: int
    room: int

    @property
    def tokens(self) -> int:
        """Tokens reserved: the prompt, and all that the model may write."""
        return self.prompt + self.room


class Pacer:
    """Moment at which the next call may be sent.

    Parameters
    ----------
    limits : mapping of str to int
        rpm, rpd, tpm, tpd of the plan, as far as known; what the provider tells replaces them.
        Where that is less and leads to long waits, it is asked again once a minute.
    caps : mapping of str to int
        Likewise, but kept also where the provider would allow more.
    """

    def __init__(self, limits: Mapping[str, int], caps: Mapping[str, int] | None = None) -> None:
        self._caps = dict(caps or {})
        # All four from the start, so that a limit learnt later finds what was sent before.
        self._windows = {
            name: Window(math.inf, MINUTE_S if name.endswith("m") else DAY_S)
            for name in ("rpm", "rpd", "tpm", "tpd")
        }
        known = {**limits, **self._caps}
        self._known = {name: known.get(name, math.inf) for name in self._windows}
        self._order = self._under_way = 0
        self._sent_s = -math.inf
        self._forget()
        # Real over estimated prompt tokens, as the answers tell.
        self.ratio = 1.0

    def _forget(self) -> None:
        """Be as new, but for what was sent."""
        for name, window in self._windows.items():
            window.limit = self._known[name]
        self._requests, self._tokens = Left(), Left()
        self._blocked_s = -math.inf
        self._probed = False
        self._gives_back = True

    def _limit(self, name: str, limit: int) -> None:
        self._windows[name].limit = min(limit, self._caps.get(name, limit))

    @property
    def limits(self) -> dict[str, int]:
        """The limits as known now."""
        return {k: int(w.limit) for k, w in self._windows.items() if math.isfinite(w.limit)}

    def earlier(self, tokens: int, ended_s: float) -> None:
        """Count a call of an earlier process that ended at a moment; in order."""
        for name, window in self._windows.items():
            window.end(0, tokens if name.startswith("t") else 1, ended_s)

    def estimate(self, tokens: int) -> int:
        """Prompt tokens to reserve for a prompt of about so many."""
        return math.ceil(tokens * self.ratio)

    def wait_s(self, prompt: int, room: int, now_s: float) -> float:
        """Seconds until a call may go out; infinite until a call under way ends."""
        # The first goes alone: its headers tell what others have left of the limits.
        if not self._probed and self._under_way:
            return math.inf
        known, told = self._waits(self.estimate(prompt) + room, now_s)
        return known if self._asks_again(told, now_s) else max(known, told)

    def _waits(self, tokens: int, now_s: float) -> tuple[float, float]:
        """Waits by the limits that were known, and by what the provider told."""
        known, told = [0.0], [0.0, self._blocked_s - now_s, self._requests.wait_s(1, now_s)]
        told.append(self._tokens.wait_s(tokens, now_s))
        for name, window in self._windows.items():
            amount = tokens if name.startswith("t") else 1
            wait = window.wait_s(amount, now_s)
            if window.limit < self._known[name]:
                told.append(wait)
                known.append(window.wait_s(amount, now_s, self._known[name]))
            else:
                known.append(wait)
        return max(known), max(told)

    def _asks_again(self, told_s: float, now_s: float) -> bool:
        idle = not self._under_way and now_s - self._sent_s >= MINUTE_S
        return idle and told_s > MINUTE_S

    def fits(self, prompt: int, room: int) -> bool:
        """True if a call is within the limits on tokens that are known now, however long it waits.

        By estimate, so that it is to be believed only where the provider has refused the call.
        """
        most = min(self._windows["tpm"].limit, self._windows["tpd"].limit)
        return self.estimate(prompt) + room <= most

    def send(self, prompt: int, room: int, now_s: float) -> Slot:
        """A call goes out."""
        if self._asks_again(self._waits(self.estimate(prompt) + room, now_s)[1], now_s):
            self._forget()
        self._sent_s = now_s
        slot = Slot(self._order, now_s, prompt, self.estimate(prompt), room)
        self._order += 1
        self._under_way += 1
        for name, window in self._windows.items():
            window.send(slot.tokens if name.startswith("t") else 1)
        self._requests.send(slot.order, 1, now_s)
        self._tokens.send(slot.order, slot.tokens, now_s)
        return slot

    def end(
        self,
        slot: Slot,
        now_s: float,
        prompt: int | None = None,
        completion: int = 0,
        refused: bool = False,
    ) -> None:
        """A call has ended.

        Parameters
        ----------
        slot : Slot
        now_s : float
        prompt, completion : int
            Tokens as the provider counted them; no prompt where it did not.
        refused : bool
            Whether it was answered 429, so that its tokens were not used.
        """
        self._under_way -= 1
        self._probed = True
        self._requests.end(slot.order)
        self._tokens.end(slot.order)
        used = 0 if refused else slot.tokens
        if prompt is not None:
            # Slowly, as prompts differ.
            seen = min(max(prompt / max(slot.estimated, 1), 0.5), 4.0)
            self.ratio += 0.1 * (seen - self.ratio)
            # Only headers can show if tokens that were reserved and not used come back.
            back = self._gives_back and self._tokens.told
            used = prompt + (completion if back else slot.room)
        there_s = min(now_s, slot.sent_s + TRANSIT_S)
        for name, window in self._windows.items():
            if name.startswith("t"):
                window.end(slot.tokens, used, there_s)
            else:
                window.end(1, 1, there_s)

    def read(self, slot: Slot, headers: Mapping[str, str], now_s: float) -> None:
        """Take over what the headers of an answer tell."""
        for kind, left in (("requests", self._requests), ("tokens", self._tokens)):
            limit = headers.get(f"x-ratelimit-limit-{kind}", "")
            remaining = headers.get(f"x-ratelimit-remaining-{kind}", "")
            if not (limit.isdecimal() and remaining.isdecimal()):
                continue
            reset_s = parse_length(headers.get(f"x-ratelimit-reset-{kind}"))
            left.tell(slot.order, int(limit), int(remaining), reset_s, now_s)
            used = int(limit) - int(remaining)
            if kind == "tokens" and int(limit) > 0:
                self._limit("tpm", int(limit))
            elif 0 < int(limit) <= 2 * used and (reset_s or DAY_S) <= 1.1 * MINUTE_S:
                # Requests are told per day at Groq, and so reset slowly; elsewhere per minute.
                self._limit("rpm", int(limit))

    def limited(
        self, retry_after_s: float | None, limit: tuple[str, int] | None, now_s: float
    ) -> None:
        """A 429 came: hold everything back as long as it says, and learn from it."""
        if retry_after_s is not None:
            self._blocked_s = max(self._blocked_s, now_s + min(retry_after_s, DAY_S))
        if limit is not None and limit[1] > 0:
            self._limit(*limit)
        self._gives_back = False
