"""Tickets that no article should answer: no message, several problems, or a wish for a person.

Rules on the text alone, for plain English, and a share of known words that goes for any language:
a text is read where the words are those of the desk's own texts and articles. They are measured on
texts written for it (`tests/data/unclear.csv`, see tests/benchmarks/README.md).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from twin.assistant.features import Floats, Ints
from twin.assistant.knowledge.article import Article
from twin.assistant.knowledge.embedding import embed, similarity
from twin.assistant.knowledge.knowledge import words

Doubt = Literal["person", "empty", "unreadable", "several"]
Classify = Callable[[Sequence[str]], tuple[Ints, Floats]]

# A longer text is cut: what it is about stands well before.
_MOST = 2_000
# Below so many different words a desk's texts do not show which words there are.
_FEWEST_WORDS = 500
# Of the desk's own texts, each looked at as if it were not there, so many may look unreadable.
_HELD_UP = 0.02
# Where even fewer of its own texts do: below this share a text is not read, above that one it is.
_LEAST, _ENOUGH = 0.2, 0.5
# Confidence with which parts of a text have to be problems of different categories.
_SURE = 0.8
_SHORTEST_PART = 3  # Words.

_WHO = (
    r"(?:human(?: being)?s?|(?:real|actual|live|living|different) (?:\w+ )?"
    r"(?:person|people|human|agent|employee|one)|person|people|some(?:one|body)|any(?:one|body)"
    r"|agent|representative|rep|operator|manager|supervisor|staff|advisor|adviser|whoever|boss"
    r"|(?:members?|one|some(?:one|body)|any(?:one|body)) (?:of|from|in) (?:your|the) \w+"
    r"|employees?|colleagues?|customer (?:service|care|support))"
)
_PERSON = re.compile(
    rf"\b(?:speak|talk|chat|discuss(?: (?:this|it|that))?|deal|communicate"
    rf"|correspond|get through|put (?:me )?through|connect(?:ed)?|transfer(?:red)?"
    rf"|escalate|hand me over)\b(?: me)?(?: directly)? (?:to|with) "
    rf"(?:(?:a|an|the|your|one|of|my|some|another|real|live) )*{_WHO}\b"
    rf"|\b(?:want|need|get|give|send|prefer|like|rather have|demand)\b(?: me| to have| to see)? "
    rf"(?:(?:a|an|the) )?(?:human(?: being)?|(?:real|actual|live) (?:person|human|agent)|person"
    rf"|operator)\b(?! (?:who|that|to) (?:signed|delivered|ordered))"
    rf"|\b(?:put|get) (?:(?:a|an|the|your|some) )?{_WHO} on(?: the (?:line|phone))?"
    rf"(?! (?:my|the|an?) )"
    rf"|\b(?:let me have|hand me to|pass me (?:on )?to|reach|is there)"
    rf" (?:(?:a|an|the|your) )?{_WHO}"
    rf"(?= (?:i can|to|from|in charge|there|who (?:can|will))|\W*$)"
    rf"|\bno more (?:automat\w+|canned|standard|robot\w*|machine) (?:repl\w+|answers?|messages?)"
    rf"|\b(?:called|phoned|call(?:ed)? (?:me )?back|answered|read|call me)\b.{{0,20}}\bby (?:a|an"
    rf"|one|some)\b.{{0,20}}\b(?:human|person|colleagues?|agent)"
    rf"|\b(?:member of staff|person|human|agent|someone|somebody|manager)\b (?:please )?"
    rf"(?:call|phone|ring) me\b"
    rf"|\b(?:an? )?(?:actual|real|live) (?:human|person|employee|agent)\b"
    rf"|\bnot? (?:a )?(?:more )?(?:ro)?bots?\b|\bwith a (?:ro)?bot\b"
    rf"|\bhuman (?:please|now|being|agent|support)\b|\bplease,? (?:a )?human\b"
    rf"|\bsomebody (?:real|who can think)\b|\banybody real\b",
    re.IGNORECASE,
)
# Wishes for a person in words that no rule knows: whatever is so like one of these. Of 300 train
# texts none is likelier than .36, of 3,080 of a bank none of .42.
_WISHES = (
    "I want to speak to a human being",
    "Please connect me with a person",
    "Let a member of your staff call me back",
    "I want somebody real, not a machine",
    "Is there a person I can talk to",
    "Put me through to a manager",
    "I do not want to talk to a bot",
    "Have one of your colleagues ring me",
    "Can a human answer me",
    "Someone from the team should look at this personally",
    "No robot please, a real agent",
)
_LIKE_A_WISH = 0.42
_ALONE = re.compile(
    rf"\W*(?:please |pls )?(?:an? |the |your |to )*{_WHO}(?: please| pls| now)?\W*", re.IGNORECASE
)
# Words that say nothing of what a ticket is about: greetings, thanks, wishes for help.
_BARE_WORDS = """
    a about above advise afternoon again all also am an and another any anybody anyone are as
    asap assistance at attached attachment attachments be been before being below bye can cheers
    day dear did discussed do does doesn doing don e else evening ever everybody everyone
    everything feedback file follow following for from fwd get getting give go going gone good
    got greetings had happen happened happening has have having hear hello help helping here hey
    hi hiya how i im in info information is issue issues it its just kind know let ll look ma
    madam many matter may me message morning mr mrs much my need needs new night no nobody not
    nothing now of off ok okay on once one online open or our out please pls plz possible
    problem problems question questions quick re reading really regards reply request s same see
    sir so some somebody someone something sorry still subject such sup support sure t team tell
    test testing thank thanks that the their them there these they thing things this those
    ticket time to today too trouble try u up ur urgent urgently us ve very want was we welcome
    well went were what when where which who why will with won work working works would wrong
    yes yo you your
    belated best bless blessings bonjour buddies buddy christmas ciao cheerio cordially count
    easter enjoy evenin everything fellows fine folks friend friends gentlemen gday girls glad
    guys happy hola holiday holidays hope hoping howdy kindest ladies life likewise lot lots love
    lovely luck meet mate mates mornin morrow nice people pleasant please pleased pleasure
    regards salutations season sincerely spring summer sunday monday tuesday wednesday thursday
    friday saturday warm weather week weekend welcome wish wishes wishing winter wonderful world
    yall year
    zero one two three four five six seven eight nine ten eleven twelve
"""
_BARE = frozenset(_BARE_WORDS.split())
_GREETS = re.compile(
    r"\W*(?:hello|hi|hey|hiya|howdy|yo|dear|greetings|good (?:morning|afternoon|evening|day)|thanks"
    r"|thank you|many thanks|cheers|best|kind regards)\b",
    re.IGNORECASE,
)
_MOST_OF_GREETING = 10  # Words.
# Where a customer turns to a further problem; the end of a sentence alone is none.
_TURNS = re.compile(
    r"[\s,.;:!?]+(?:(?:and|but)\s+)?(?:also|besides|in addition|plus|another thing(?: is)?"
    r"|second(?:ly)?"
    r"|then there's|by the way|on top of (?:that|it)|furthermore|moreover)\b[\s,:]*"
    r"|[.!?]\s+and\s+"
    r"|[\s,;]+and\s+(?=(?:i|i'\w+|i\u2019\w+|my|our|we|how|where|when|which|what|why|who"
    r"|whether|do|does|is|are|can|could|please|pls|tell|the|somebody|someone)\b)"
    r"|(?:^|\s)\(?\d[.)]\s",
    re.IGNORECASE,
)


class Doubts:
    """Rules by which a text is not answered.

    Parameters
    ----------
    texts : sequence of str
        The desk's own, such as those that a classifier learns from.
    articles : sequence of Article
    classify : callable, optional
        Category and confidence of texts; without it several problems are not told from one.
    """

    def __init__(
        self, texts: Sequence[str], articles: Sequence[Article], classify: Classify | None = None
    ) -> None:
        said = [phrase for article in articles for phrase in (article.title, *article.phrases)]
        own = [set(words(text[:_MOST])) for text in (*texts, *said)]
        counts = Counter(word for found in own for word in found)
        self._known = frozenset(counts) | {
            word for article in articles for word in words(article.body[:_MOST])
        }
        self._classify = classify
        self._least = 0.0
        if len(counts) >= _FEWEST_WORDS:
            others = self._known - {word for word, count in counts.items() if count == 1}
            shares = [len(found & others) / len(found) for found in own if len(found) > 2]
            low = float(np.quantile(shares, _HELD_UP)) if shares else 0.0
            self._least = min(max(low, _LEAST), _ENOUGH)

    def of(self, text: str) -> Doubt | None:
        """Why a text is not to be answered; None where it may be."""
        text = text[:_MOST]
        if _PERSON.search(text) or _ALONE.fullmatch(text) or _is_wish(text):
            return "person"
        found = words(text)
        plain = re.findall(r"[^\W\d_]+", text.lower())
        told = [word for word in plain if word not in _BARE and len(word) > 1]
        if not told:
            return "empty"
        # Names of people and places are no problem.
        if _GREETS.match(text) and len(plain) <= _MOST_OF_GREETING and not self._known & set(told):
            return "empty"
        if self._share(found) < self._least:
            return "unreadable"
        return "several" if self._several(text) else None

    def _share(self, found: Sequence[str]) -> float:
        """Share of the different words that are known."""
        different = set(found)
        return len(different & self._known) / len(different) if different else 1.0

    def _several(self, text: str) -> bool:
        if self._classify is None:
            return False
        parts = [part for part in _TURNS.split(text) if len(words(part)) >= _SHORTEST_PART]
        if len(parts) < 2:
            return False
        category, confidence = self._classify(parts)
        return len(set(category[confidence >= _SURE].tolist())) > 1


def _is_wish(text: str) -> bool:
    return float(similarity(embed([text]), embed(_WISHES)).max()) >= _LIKE_A_WISH
