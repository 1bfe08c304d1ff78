"""Facts of an article as YAML, read and written.

An author writes them into the front matter; nobody but the judge reads them::

    facts:
      - Write to us within 14 days.
      - fact: The link works once and expires after 60 minutes.
        also: You have an hour to use it.
        not: [The link never expires., The link can be used as often as you like.]
        main: yes

An article without any has its own steps as facts.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from twin.assistant.knowledge.article import Fact

# More is no list of facts, and would make every answer dear to judge.
MOST_FACTS, MOST_TEXTS, LONGEST = 60, 20, 500
_KEYS = ("fact", "also", "not", "main")


def read_facts(node: yaml.Node, line: int) -> tuple[Fact, ...]:
    """Facts from the nodes of YAML.

    Parameters
    ----------
    node : Node
        Of the key "facts".
    line : int
        Line of the file in which the YAML begins, for messages.

    Raises
    ------
    ValueError
        Naming the line of what is not understood.
    """
    if isinstance(node, yaml.ScalarNode) and not node.value.strip():
        return ()
    if not isinstance(node, yaml.SequenceNode):
        raise ValueError(f"{_place(node, line)} must be a list")
    if len(node.value) > MOST_FACTS:
        raise ValueError(f"{_place(node, line)}: more than {MOST_FACTS}")
    return tuple(_fact(item, line) for item in node.value)


def _place(node: yaml.Node, line: int) -> str:
    return f"line {line + node.start_mark.line}: facts"


def _fact(node: yaml.Node, line: int) -> Fact:
    if isinstance(node, yaml.ScalarNode):
        return Fact(tuple(_texts(node, line)))
    if not isinstance(node, yaml.MappingNode):
        raise ValueError(f"{_place(node, line)}: must be a text, or fact, also, not, main")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = str(key.value).strip().lower()
        if name not in _KEYS or name in found:
            why = "is given twice" if name in found else f"is none of {', '.join(_KEYS)}"
            raise ValueError(f"{_place(key, line)}: {name[:40]} {why}")
        found[name] = value
    if "fact" not in found:
        raise ValueError(f"{_place(node, line)}: fact is missing")
    main = found.get("main")
    said = str(main.value).strip().lower() if isinstance(main, yaml.ScalarNode) else ""
    if main is not None and said not in ("yes", "true", "no", "false"):
        raise ValueError(f"{_place(main, line)}: main must be yes or no")
    says = [text for key in ("fact", "also") if key in found for text in _texts(found[key], line)]
    wrong = _texts(found["not"], line) if "not" in found else ()
    return Fact(tuple(says), tuple(wrong), said in ("yes", "true"))


def _texts(node: yaml.Node, line: int) -> Iterator[str]:
    """One text, or each of a list."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    if len(nodes) > MOST_TEXTS:
        raise ValueError(f"{_place(node, line)}: more than {MOST_TEXTS} texts")
    for one in nodes:
        said = one.value if isinstance(one, yaml.ScalarNode) else ""
        text = " ".join(paired(said, _place(one, line)).split())
        if not text or len(text) > LONGEST:
            raise ValueError(f"{_place(one, line)}: each must be a text of 1 to {LONGEST} letters")
        yield text


def paired(text: str, place: str) -> str:
    """A text with its surrogates made one character each: JSON writes many in pairs.

    Raises
    ------
    ValueError
        If one has no other half.
    """
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError(f"{place} has a surrogate (as \\ud83d) without its pair") from None


def as_yaml(facts: tuple[Fact, ...]) -> str:
    """Facts as lines of front matter; empty where there are none."""
    if not facts:
        return ""
    items = []
    for fact in facts:
        item: dict[str, object] = {"fact": fact.says[0]}
        if fact.says[1:]:
            item["also"] = list(fact.says[1:])
        if fact.wrong:
            item["not"] = list(fact.wrong)
        if fact.main:
            item["main"] = True
        items.append(item)
    return str(yaml.safe_dump({"facts": items}, sort_keys=False, allow_unicode=True, width=10_000))
