"""Anger in a ticket, by its words, capitals and exclamation marks: plain English."""

from __future__ import annotations

import re

_MOST = 2_000  # A longer text is cut.
# Words that no calm customer writes about their own ticket.
_WORDS = re.compile(
    r"\b(?:angry|furious|fuming|livid|enraged|outrag\w+|unacceptable|ridiculous|disgust\w+|appal\w+"
    r"|pathetic|scandal\w*|incompeten\w+|useless|shameful|disgrace\w*|thieves|thief|rip-?off|scammers"
    r"|fed up|sick (?:and tired )?of|had enough|last straw|los(?:ing|t) (?:my |all )?patience"
    r"|worst (?:\w+ )?(?:service|support|company|shop|experience)|never again|how dare you|joke"
    r"|what the (?:hell|heck|fuck)|damn\w*|bloody|wtf|fuck\w*|shit\w*|bullshit|crap"
    r"|nonsense|insult\w*|crooks?|cheats?|swindle\w*|fraudsters?|robbery|shocking|atrocious|abysmal"
    r"|dreadful|horrendous|horrific|nightmare|shambles|insolen\w+|impertinen\w+|rude(?:ness)?"
    r"|infuriat\w+|exasperat\w+|annoy(?:ed|ing)|fuming|seething|beyond (?:annoyed|belief|words)"
    r"|idiots?|morons?|stupid|are you (?:deaf|blind|serious|joking)|done with you"
    r"|(?:what|such) a cheek"
    r"|had it with|treated (?:\w+ )?(?:so |this |that )?(?:badly|poorly|like)"
    r"|for the (?:third|fourth|fifth|tenth|umpteenth) time"
    r"|how many (?:more )?times (?:do|must|have|will) i"
    r"|(?:makes|made|making) (?:me|my) (?:sick|blood)"
    r"|(?:my|a|call|see) lawyer|sue you|in court|kidding me|i demand|liars?|lying to me"
    r"|stop ignoring|nobody (?:answers|cares|reads)|waste of (?:time|money))\b",
    re.IGNORECASE,
)
_SHOUTED = re.compile(r"!{3,}|\?!|!\?")
_GLAD = re.compile(r"\b(?:thank\w*|hello|hi|love\w*|great|congratulations)\b", re.IGNORECASE)
_CAPITALS, _LETTERS = 0.6, 12


def is_angry(text: str) -> bool:
    """True if a ticket sounds angry.

    Angry words count at once; so do capitals throughout, three exclamation marks together, and one
    beside a question mark.

    Examples
    --------
    >>> is_angry("WHERE IS MY PARCEL, IT IS LATE")
    True
    >>> is_angry("Thank you!")
    False
    """
    text = text[:_MOST]
    if _WORDS.search(text):
        return True
    letters = [letter for letter in text if letter.isalpha()]
    capitals = len([letter for letter in letters if letter.isupper()])
    if len(letters) >= _LETTERS and capitals > _CAPITALS * len(letters):
        return True
    shouted = _SHOUTED.search(text) is not None and len(letters) >= _LETTERS
    return shouted and not _GLAD.search(text)
