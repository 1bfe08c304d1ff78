"""Words of plain English as answers are compared by: stems, opposites, denials, commonest words."""

from __future__ import annotations

import re
from functools import lru_cache


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# What follows them in a clause is denied.
DENIES = word_set(
    "not no never none nothing nobody neither nor without avoid forget refrain "
    "cannot hardly nowhere unable"
)
# Words that say nothing of their own.
STOP = word_set(
    "a an the of to in on at by for from with as is are be been being was were am it its this that "
    "these those there here i me my we us our you your he she they them their his her who which "
    "what when where why how and or if then than so also too very just please will would shall "
    "should may might must can could do does did done have has had need needs needed about into "
    "out up up down over any some each all such own other more much lot sorry hello hi "
    "dear thanks thank kind regards let get gets got make makes made first next finally again "
    "within yours only during still yet now already afterwards sure yes ok okay one ones s t re ll "
    "ve d m because since but "
    "while although though otherwise either both even really well "
    "anything something everything anyone someone everyone anybody somebody ca wo "
    "place step steps answer following rather better"
)
# They deny the whole clause.
IMPOSSIBLE = word_set("impossible unnecessary forbidden pointless prohibited")
# One word for what means the same at a support desk; "-" for the opposite.
_SAME = """
press: click tap hit push
email: mail mails emails e-mail message
phone: mobile smartphone handset cellphone
delete: erase remove wipe
cancel: terminate end quit
refund: reimburse repay
refunded: reimbursed repaid
send: ship post dispatch
resend: reship
parcel: package shipment
invoice: bill bills invoices
buy: purchase order-goods
shop: website site webshop store web online
spam: junk
minute: minutes min mins
attempt: try trying tries attempts guess retry repeat
picture: photo photos image images photograph screenshot pictures snapshot
choose: pick select opt
type: enter fill input typing entering
wait: patience patient hang-on
allow: permit enable allowed permitted
broken: cracked smashed damaged defective
search: look hunt check find
device: machine appliance
seal: gasket gaskets seals
free: gratis complimentary
neighbour: neighbours neighbor neighbors next-door
pause: hold suspend
expire: expires expired lapse
keep: kept retain store keeping
subscription: plan subscriptions
happen: happens
report: flag claim notify tell
undo: undone reverse revert undoing
agent: staff colleague representative
price: cost costs fee charge
box: carton
fridge: refrigerator refrigerated
tape: sticker label
fast: quick quickly
start: begin begins starts starting begun
swap: exchange trade
forever: ever permanently
-before: after afterward
-finer: coarser coarse
-longer: shorter short
-more: less fewer
-least: most
-unplug: plug plugged
-open: closed shut
-warm: cool cold
-dark: bright light
-dry: damp wet
-keep: lost lose discard
-delete: keep-it
-on: off
-free: charged
-always: rarely
-inside: outside
-include: exclude excluded
-accept: refuse reject
-early: late
-newest: oldest
-same: different
-automatically: manually
-old: new
-public: private
-up: down
-extend: restart
-lengthen: shorten
send: sent sends sending
pay: paid pays paying
give: given gave
take: taken took takes
leave: left leaves
hold: held holds
show: shown shows
come: came comes
go: gone went goes
write: written wrote
lose: loses
break: broke breaks
"""
_STEM = re.compile(r"(?:ingly|ings|ing|edly|ed|ies|es|s|ly|e|y)$")


def _stem(word: str) -> str:
    if len(word) <= 3:
        return word
    short = _STEM.sub("", word)
    short = _STEM.sub("", short) if len(short) > 5 and short.endswith("e") else short
    if len(short) > 3 and short[-1] == short[-2] and short[-1] not in "lsz":
        short = short[:-1]
    return short if len(short) >= 3 else word


def _table() -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for line in _SAME.strip().splitlines():
        name, _, same = line.partition(": ")
        sign = -1 if name.startswith("-") else 1
        head = _stem(name.lstrip("-"))
        for word in same.split():
            found.setdefault(word, (head, sign))
            if len(word) > 4:
                found.setdefault(_stem(word), (head, sign))
    return found


_CANON = _table()


@lru_cache(maxsize=20_000)
def stem_of(word: str) -> tuple[str, int]:
    """Stem that a word is compared by, and -1 where the word is its opposite, else 1."""
    if word in _CANON:
        return _CANON[word]
    for start in ("un", "non"):
        rest = word.removeprefix(start)
        if rest != word and len(rest) > 4 and rest.endswith("ed"):
            return _CANON.get(_stem(rest), (_stem(rest), 1))[0], -1
    short = _stem(word)
    return _CANON.get(short, (short, 1))
