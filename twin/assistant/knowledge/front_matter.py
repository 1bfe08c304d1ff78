"""Front matter of an article: title and category, and the facts for the judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import yaml

from twin.assistant.knowledge.article import Fact
from twin.assistant.knowledge.facts import paired, read_facts


@dataclass(frozen=True)
class FrontMatter:
    """Keys above the text of an article; one that is not given is empty."""

    title: str = ""
    category: str = ""
    facts: tuple[Fact, ...] = ()


def front_matter(text: str) -> tuple[FrontMatter, str]:
    """The front matter of an article, and the text after it.

    The nodes of the YAML are read, not the objects that it stands for: so "no", 2026-01-05 and 1.0
    stay the texts that they are, and no file makes an object.

    Raises
    ------
    ValueError
        If it is none, saying in which line.
    """
    lines = text.split("\n")
    first = next((k for k, line in enumerate(lines) if line.strip()), 0)
    ends = (k for k in range(first + 1, len(lines)) if lines[k].rstrip() in ("---", "..."))
    last = next(ends, None)
    if lines[first].strip() != "---" or last is None:
        raise ValueError('must begin with front matter: "---", title: ..., category: ..., "---"')
    matter = "\n".join(lines[first + 1 : last])
    try:
        root = yaml.compose(matter, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {first + 2 + mark.line}: " if mark is not None else ""
        hint = (
            ': write a text that holds ": " in quotes' if ": " in _line(lines, first, mark) else ""
        )
        raise ValueError(f"{place}front matter is no YAML, {error.problem}{hint}") from None
    except yaml.reader.ReaderError as error:
        line = first + 2 + matter.count("\n", 0, error.position)
        raise ValueError(
            f"line {line}: front matter is no YAML, a sign that it cannot hold"
        ) from None
    except RecursionError:
        raise ValueError("front matter is nested too deeply") from None
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise ValueError(f"line {first + 2}: front matter must hold lines as title: ...")
    return _keys(root, first + 2), "\n".join(lines[last + 1 :])


def _line(lines: Sequence[str], first: int, mark: yaml.Mark | None) -> str:
    """A line that YAML complains of, without its key."""
    if mark is None:
        return ""
    line: str = lines[min(first + 1 + mark.line, len(lines) - 1)]
    return line.partition(": ")[2]


def _keys(root: yaml.MappingNode | None, line: int) -> FrontMatter:
    keys: dict[str, str] = {}
    facts: tuple[Fact, ...] | None = None
    for key, value in root.value if root is not None else ():
        name = str(key.value).strip().lower()
        if name not in ("title", "category", "facts"):
            continue
        place = f"line {line + key.start_mark.line}: {name}"
        if name in keys or (name == "facts" and facts is not None):
            raise ValueError(f"{place} is given twice")
        if name == "facts":
            facts = read_facts(value, line)
            continue
        # A list of one is that one.
        if isinstance(value, yaml.SequenceNode) and len(value.value) == 1:
            value = value.value[0]
        if not isinstance(value, yaml.ScalarNode):
            raise ValueError(f"{place} must be one text")
        null = value.tag == "tag:yaml.org,2002:null"
        keys[name] = "" if null else " ".join(paired(value.value, place).split())
    return FrontMatter(keys.get("title", ""), keys.get("category", ""), facts or ())
