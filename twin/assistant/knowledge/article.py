"""A knowledge article, and the facts that it claims."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """A fact of an article: a statement that an answer can be held against.

    Attributes
    ----------
    says : tuple of str
        The fact, and other words for it.
    wrong : tuple of str
        Statements that contradict it. What denies its words, or has another number, need not stand
        here: the judge sees that by rule.
    main : bool
        Whether it belongs to what most customers with this problem need.
    """

    says: tuple[str, ...]
    wrong: tuple[str, ...] = ()
    main: bool = False


@dataclass(frozen=True)
class Article:
    """A knowledge article.

    Attributes
    ----------
    slug : str
        File name without `.md`.
    title, category : str
        From the front matter; the category may be empty.
    body : str
        All text after the front matter, without the phrases.
    summary : str
        Text before the first heading: what the article is for.
    steps : tuple of str
        Items of the lists under "## Steps", else of the first list, else the paragraphs. What is
        nested in an item belongs to it.
    closing : str
        Text of all other sections and what stands below the steps, without headings.
    phrases : tuple of str
        Items under "## Customers say", of all its lists: the problem in customers' words. They are
        for retrieval and categories only: neither answers, nor prompts, nor the judge see them.
    facts : tuple of Fact
        "facts" of the front matter: what the article claims, for the judge only.
    """

    slug: str
    title: str
    category: str
    body: str
    summary: str
    steps: tuple[str, ...]
    closing: str
    phrases: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
