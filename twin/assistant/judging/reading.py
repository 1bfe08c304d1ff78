"""Texts read as statements: what each says, what it denies, and its numbers.

Rules for plain English. A text in another language still has words and numbers to compare, but its
denials are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from twin.assistant.judging.amounts import Number, number_of, numbers_of
from twin.assistant.judging.english import DENIES, IMPOSSIBLE, STOP, stem_of

# Longer answers are read so far: nobody reads on, and the time to judge one stays bounded.
MOST_CHARACTERS = 8_000
_MOST_WORDS, _LONGEST_WORD = 60, 40

_LIST = re.compile(r"^\s*(?:\d{1,3}[.)]|[-*•])\s+")
_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+|;\s+|\s[-–—]\s")
# Within a sentence another clause begins: what is denied before it is not denied after it.
_CLAUSE = re.compile(
    r",?\s+(?=(?:but|because|otherwise|whereas|although)\b)"
    r"|,\s+(?=(?:as|since|so|while|which|then|and|or|if|when|it|we|you|this|please|only|after"
    r"|before|in|for|until)\b)"
    r"|\s+(?=(?:and|or)\s+(?:then|it|we|you|they|this|that|there|our|only|do|never|can)\b)"
    r"|\s+(?=(?:unless|if)\s)"
    r"|\s+(?=and\s+\d[\d-]*\s+for\b)"
)
# A condition that stands first ends at its comma; its denial goes no further.
_CONDITION = re.compile(
    r"(^\s*(?:if|when|once|unless|after|before|until|where|while|although|because|as|with|for)\b"
    r"[^,:]{3,}),\s+(?=\w+\s+\w)"
)
# Two amounts of two things: "an answer within ten days and a parcel within thirty".
_TWO_AMOUNTS = re.compile(r"\s+and\s+(?=(?:an?|the|your)\s+(?!half\b)\w+)")
_NOT_POSSIBLE = re.compile(
    r"\b(?:is|are|be|was)? ?not (?:be )?(?:possible|allowed|needed|necessary|required|permitted)\b"
)
_DENIED = re.compile(r"\b(?:not|never|no)\b")
_FIRST = re.compile(r"^\s*(?:1[.)]|[-*•])\s")
_THEN = re.compile(
    r"^\s*(?:and |but )?(?:only )?(?:then|after that|afterwards|after this|finally|next|lastly)\b"
)
# Words that orders begin with.
_ORDERS = (
    "press|open|choose|use|take|wait|send|write|call|ask|check|look|keep|put|hold|click|enter|type|go"
    "|unplug|report|try|set|switch|enable|disable|contact|reply|sign|confirm|upload|leave|do|not"
    "|never|pick|give|tell|change|cancel|remove|delete|empty|pack|pour|rinse|unopened|handle|return"
    "|photograph|scan|follow|replace"
)
# A comma or an "and" that another order follows.
_COMMA = re.compile(rf",\s+(?=(?:{_ORDERS})\b)")
_AND = re.compile(rf"\s+and\s+(?=(?:{_ORDERS})\b)")
_TAIL = re.compile(r"\s*n?or\s+\w+(?:\s+\w+){0,3}\s*[.!?]?$")
_ANY_COMMA = re.compile(r",\s+")
_HAS_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty)\b"
)
_ABOUT_ITSELF = re.compile(
    r"\b(?:rubric|judge|judges|score|full marks|grader|(?:this|the|my)(?: assistant's)? "
    r"(?:answer|response) (?:is|was|covers|deserves))\b"
)
# Passing on answers nothing, whatever its words.
_PASSES_ON = re.compile(
    r"\b(?:agent|colleague|team|person|somebody|someone|we)\b[^.!?]{0,20}\b(?:will|can|to) "
    r"(?:help|get back|be happy|assist|take a look|look into)\b|\bhelp cent(?:re|er)\b"
    r"|\bget back to you\b|\bcontact (?:our |the )?(?:customer )?(?:support|service)\b"
    r"|\blooks like a question about\b"
)
_ONLY_IF = re.compile(r"\bonly (?:if|when|after|once)\b|\bunless\b")
_BOUND = re.compile(r"\b(?:if|when|once|unless|until|only|after|before|asked?)\b")
# What does not work is denied with all that is said of it, but not where it is a condition.
_DOES_NOT = re.compile(r"\b(?:do|does|did|will) not (?:work|apply|count|help|qualify)\b")
_CONDITIONAL = re.compile(r"\b(?:if|when|once|unless|where|until|in case)\b")
_NOT_MORE = re.compile(
    r"\b(?:do not|never|not|no)\b"
    r"((?: (?!(?:while|if|when|where|once|because|and|or|but)\b)[\w'-]+){0,3}?) more than\b"
)
_QUOTED_NOT = re.compile(r"[\"“«]not (\w+)")
_TOKEN = re.compile(r"[^\W_]+(?:[.,][0-9]+)*(?:'[^\W_]+)?")
# "No, ..." answers a question; "No note is needed" denies.
_YES_NO = re.compile(
    r"^\s*(yes|no|nope|sure|of course|certainly|unfortunately not|of course not)(?:[,.!:;]+|\s*$|"
    r"(?<!no)(?= ))\s*",
    re.I,
)


@dataclass(frozen=True)
class Statement:
    """A clause of a text.

    Attributes
    ----------
    words : tuple of str
        Its words as they are written, in lower case, without the commonest.
    stems : tuple of str
        What they are compared by.
    signs : tuple of int
        -1 where a word is denied, or is the opposite of its stem.
    numbers : tuple of Number
    sentence : int
        Which sentence it belongs to.
    follows : bool
        Whether it says that it comes after the one before: "then ...", or "2. ..." of a list.
    only : bool
        Whether it holds under a condition only: "... only if we ask".
    bound : bool
        Whether its sentence names any condition.
    """

    words: tuple[str, ...]
    stems: tuple[str, ...]
    signs: tuple[int, ...]
    numbers: tuple[Number, ...]
    sentence: int
    follows: bool = False
    only: bool = False
    bound: bool = False


def _plain(text: str) -> str:
    text = text[:MOST_CHARACTERS].replace("’", "'").lower()
    text = text.replace("can't", "can not").replace("won't", "will not").replace("n't", " not")
    text = text.replace("cannot", "can not")
    text = re.sub(r"\bif (?:this|that|it|nothing) (?:does not )?(?:help|work)s?\b:?", "", text)
    text = re.sub(r"\bnot only\b", "", text)
    # "Not more than three" is a bound and denies nothing.
    text = _NOT_MORE.sub(r"\1 at most", text)
    text = re.sub(r"\b(?:switch|turn)(?:ed)? off\b", "disable", text)
    text = re.sub(r"\b(?:switch|turn)(?:ed)? on\b", "enable", text)
    text = re.sub(r"\b(?:instead of|rather than)\b", "not", text)
    text = re.sub(r"\bnothing (?:but|except|other than)\b", "only", text)
    text = re.sub(r"\bnot (?:kept |keep )?(?:apart|separate(?:ly)?) from\b", "part of", text)
    text = re.sub(r"\b(?:kept |keep )?(?:apart|separate(?:ly)?) from\b", "not part of", text)
    text = _QUOTED_NOT.sub(r'"not\1', text)
    text = re.sub(r"\b(?:come|comes|send|sent|bring|give|go)( it| them)? back\b", r"return\1", text)
    text = re.sub(r"\bat once\b", "immediately", text)
    text = re.sub(
        r"\bonce (?=(?:you|it|we|they|he|she|the|this|that|your|nothing|all)\b)", "when ", text
    )
    text = re.sub(r"\bpull(?:ed|ing)? (?:out )?the (?:power )?plug\b", "unplug", text)
    text = _NOT_POSSIBLE.sub("impossible", text)
    # "Sour? Grind finer." is one statement.
    text = re.sub(r"^([^?.!]{1,40})\?\s+(?=\w)|(?<=[.!] )([^?.!]{1,40})\?\s+(?=\w)", _headed, text)
    return re.sub(r"\bno longer\b", "not", text)


def _headed(found: re.Match[str]) -> str:
    return f"{found[1] or found[2]}: "


def _clauses(sentence: str) -> list[str]:
    """Parts of a sentence, each with denials of its own.

    A list that ends in "or" shares its denial: "Do not click, reply or call back."
    """
    parts: list[str] = []
    condition = _CONDITION.match(sentence)
    if condition and _DENIED.search(condition[1]):
        parts.append(condition[1])
        sentence = sentence[condition.end() :]
    head, colon, rest = sentence.partition(": ")
    while colon and _DENIED.search(head):
        parts += _CLAUSE.split(head)
        sentence = rest
        head, colon, rest = sentence.partition(": ")
    parts = [part for part in [*parts, *_CLAUSE.split(sentence)] if part and part.strip()]
    out: list[str] = []
    for part in parts:
        pieces = _COMMA.split(part)
        shares = _DENIED.search(pieces[0]) and re.search(r"\bn?or\b", part)
        if out and _TAIL.match(part) and _DENIED.search(out[-1]):
            out[-1] += " " + part
            continue
        if shares:
            pieces = [part]
        for piece in pieces:
            denied = _DENIED.search(piece)
            for number, order in enumerate(_AND.split(piece)):
                counted = _ANY_COMMA.split(order)
                if len(counted) == 1:
                    counted = _TWO_AMOUNTS.split(order)
                both = all(map(_HAS_NUMBER.search, counted))
                # "Do not wait and press": what follows is denied, too.
                again = "not " if number and denied and not _DENIED.search(order) else ""
                out += counted if both else [again + order]
    return out


def _statement(clause: str, sentence: int) -> Statement | None:
    if not _CONDITIONAL.search(clause):
        clause = _DOES_NOT.sub("impossible", clause)
    tokens = _TOKEN.findall(clause)[:_MOST_WORDS]
    numbers, used = numbers_of(tokens)
    words: list[str] = []
    stems: list[str] = []
    signs: list[int] = []
    sign = 1
    for k, token in enumerate(tokens):
        if token in DENIES or (
            token == "stop" and k + 1 < len(tokens) and tokens[k + 1].endswith("ing")
        ):
            sign = -sign if token in ("forget", "avoid", "refrain", "without", "stop") else -1
            continue
        if (
            k in used
            or token in STOP
            or token in IMPOSSIBLE
            or number_of(token) is not None
            or not 2 <= len(token) <= _LONGEST_WORD
        ):
            continue
        stem, own = stem_of(token.split("'")[0])
        words.append(token)
        stems.append(stem)
        signs.append(sign * own)
    if not words and not numbers:
        return None
    # A heap of words says nothing.
    joints = sum(token in STOP for token in tokens) + clause.count(",")
    if len(words) >= 8 and joints < 0.1 * len(tokens):
        return None
    if IMPOSSIBLE.intersection(tokens):
        signs = [-sign for sign in signs]
    return Statement(tuple(words), tuple(stems), tuple(signs), tuple(numbers), sentence)


def statements(text: str) -> list[Statement]:
    """The clauses of a text that say something, in order."""
    found: list[Statement] = []
    number = 0
    for line in text[:MOST_CHARACTERS].splitlines():
        listed = _LIST.match(line)
        later = bool(listed) and _FIRST.match(line) is None
        # Long runs of blanks would take the patterns a time that grows with their square.
        for sentence in _SENTENCE.split(_plain(" ".join(_LIST.sub("", line).split()))):
            if not sentence or not sentence.strip():
                continue
            if not (_ABOUT_ITSELF.search(sentence) or _PASSES_ON.search(sentence)):
                of_it = list(_said_in(_YES_NO.sub("", sentence), number))
                if of_it and later:
                    of_it[0] = replace(of_it[0], follows=True)
                found += of_it
                later = later and not of_it
            number += 1
    return found


def _said_in(sentence: str, number: int) -> Iterator[Statement]:
    """Statements of a sentence; a number without a unit has that of the one before."""
    bound = bool(_BOUND.search(sentence))
    last: Number | None = None
    clauses = _clauses(sentence)
    later = False
    for k, clause in enumerate(clauses):
        # "Then, when it is off, wait": all of it comes after.
        later = later or bool(_THEN.match(clause))
        one = _statement(clause, number)
        if one is None:
            continue
        counted = []
        for amount in one.numbers:
            if not amount.of and last is not None:
                amount = Number(amount.count * last.value / last.count, "time", amount.count)
            elif amount.of == "time" and amount.count:
                last = amount
            counted.append(amount)
        with_next = clause + (f" {clauses[k + 1]}" if k + 1 < len(clauses) else "")
        yield replace(
            one,
            numbers=tuple(counted),
            follows=later,
            only=bool(_ONLY_IF.search(with_next)) and not _ONLY_IF.match(clause.strip()),
            bound=bound,
        )


def says_yes(text: str) -> int:
    """1 where an answer begins with yes, -1 with no, 0 otherwise."""
    found = _YES_NO.match(text)
    if not found:
        return 0
    word = found[1].lower()
    return -1 if word.startswith("no") or word.endswith("not") else 1


def turned(said: Sequence[Statement], sign: int) -> list[Statement]:
    """Statements, each denied where the sign is -1."""
    return [replace(one, signs=tuple(sign * own for own in one.signs)) for one in said]
