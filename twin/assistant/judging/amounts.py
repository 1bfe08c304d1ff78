"""Numbers of a text with what they count: "half an hour", "three to five working days", "twice"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from twin.assistant.judging.english import STOP, stem_of, word_set

# As good as any number that is not another.
MANY = 99.0
_COUNTED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
_WORDS = {
    name: float(value)
    for value, name in enumerate(_COUNTED.split())
} | {
    "thirty": 30.0, "forty": 40.0, "fifty": 50.0, "sixty": 60.0, "seventy": 70.0, "eighty": 80.0,
    "ninety": 90.0, "hundred": 100.0, "thousand": 1000.0, "half": 0.5, "dozen": 12.0,
    "single": 1.0, "many": MANY, "several": MANY, "multiple": MANY,
}  # fmt: skip
# After another number they multiply it: "thirty thousand".
_SCALES = ("hundred", "thousand")
_TIME = {
    "second": 1.0, "sec": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0, "day": 86400.0,
    "week": 604800.0, "month": 2592000.0, "year": 31536000.0, "decade": 315360000.0,
    "fortnight": 1209600.0, "h": 3600.0,
}  # fmt: skip
# Of a time only: "from the eighth day on".
_ORDINALS = {
    "first": 1.0, "second": 2.0, "third": 3.0, "fourth": 4.0, "fifth": 5.0, "sixth": 6.0,
    "seventh": 7.0, "eighth": 8.0, "ninth": 9.0, "tenth": 10.0,
}  # fmt: skip
_BETWEEN_UNITS = word_set(
    "working business full clear whole more calendar further of consecutive a an the"
)
_MONEY = word_set("euro euros eur usd dollar dollars pound pounds gbp value")


@dataclass(frozen=True)
class Number:
    """A number of a text with what it counts; times are in seconds, under "time"."""

    value: float
    of: str
    # As it is written.
    count: float

    def like(self, other: Number) -> bool:
        """True if both are the same amount; months and years are about so many days."""
        if not self.of or not other.of:
            return self.count == other.count
        most = max(abs(self.value), abs(other.value))
        return self.of == other.of and abs(self.value - other.value) <= 0.025 * most


def number_of(token: str) -> float | None:
    """The number that a word stands for, if any."""
    if token in _WORDS:
        return _WORDS[token]
    if re.fullmatch(r"[0-9]+(?:[.,][0-9]+)?", token) and len(token) < 12:
        whole = token.replace(",", "") if re.fullmatch(r"\d{1,3},\d{3}", token) else token
        return float(whole.replace(",", "."))
    return None


def _more(value: float, following: list[str]) -> float | None:
    """A number with the next word of it, as of "two hundred fifty"; None where it is whole."""
    if not following or following[0] not in _WORDS:
        return None
    if following[0] in _SCALES:
        return value * _WORDS[following[0]]
    room = 100 if value % 100 == 0 else 10 if value % 10 == 0 else 0
    more = _WORDS[following[0]]
    return value + more if value >= 20 and 1 <= more < room else None


def numbers_of(tokens: list[str]) -> tuple[list[Number], set[int]]:
    """The numbers of a clause, and which tokens they take."""
    found: list[Number] = []
    used: set[int] = set()
    waiting: list[float] = []
    k = 0
    while k < len(tokens):
        token = tokens[k]
        if token in ("once", "twice"):
            times = 1.0 if token == "once" else 2.0
            found.append(Number(times, "time of", times))
            used.add(k)
            k += 1
            continue
        value = number_of(token)
        following = tokens[k + 1] if k + 1 < len(tokens) else ""
        if value is None and token in ("a", "an", "per", "every") and _unit(following) in _TIME:
            value = 1.0
            if tokens[k - 1 : k] == ["half"]:
                value = 0.5
                waiting = []
        if token in _ORDINALS and _unit(following) in _TIME:
            value = _ORDINALS[token]
        if token == "one" and (following in STOP or not following):
            value = None  # A pronoun.
        if value is None:
            k += 1
            continue
        used.add(k)
        while (more := _more(value, tokens[k + 1 : k + 2])) is not None:
            value, k = more, k + 1
            used.add(k)
        waiting.append(value)
        at = k + 1
        while at < len(tokens) and tokens[at] in _BETWEEN_UNITS:
            at += 1
        unit = tokens[at] if at < len(tokens) else ""
        if (
            unit in ("to", "or", "and")
            and at + 1 < len(tokens)
            and (number_of(tokens[at + 1]) is not None)
        ):
            if unit == "and" and tokens[at + 1] != "half":
                found += [Number(v, "", v) for v in waiting]
                waiting = []
            k = at + 1
            continue
        if tokens[k + 1 : k + 4] == ["and", "a", "half"]:
            waiting[-1] += 0.5
        name = _unit(unit)
        used.update(range(k + 1, at))
        if name in _TIME:
            half = 0.5 if tokens[at + 1 : at + 4] == ["and", "a", "half"] else 0.0
            found += [Number((v + half) * _TIME[name], "time", v) for v in waiting if v != MANY]
            used.add(at)
            if half:
                used.add(at + 3)
                at += 3
            k = at
        elif unit and unit not in STOP and unit not in _MONEY and number_of(unit) is None:
            name = "time of" if name in ("time", "attempt", "use") else stem_of(name)[0]
            found += [Number(v, name, v) for v in waiting]
            k = at - 1
        else:
            found += [Number(v, "", v) for v in waiting if v != MANY]
        waiting = []
        k += 1
    found += [Number(v, "", v) for v in waiting]
    return found, used


def _unit(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word
