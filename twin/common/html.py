"""HTML in which text cannot become markup: whatever is not markup already is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

# Control characters and halves of characters, which HTML cannot show, and marks that would turn
# the order of what stands around them.
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_UNIT = re.compile(r"(?<=\d) (?=(?:%|s|min|h|d|pts)\b|%)")
# A phone shows so many columns of figures beside each other; longer tables stay tables.
_MOST_BESIDE, _MOST_CARDS = 2, 60
# No figure with its unit and interval is as long.
_SENTENCE = 40


class Html(str):
    """Markup. Any other string is text."""

    __slots__ = ()


def html(content: object) -> Html:
    """Content as markup: markup as it is, a sequence joined, all else as escaped text.

    Examples
    --------
    >>> html("<script>"), html([Html("<b>"), "&"])
    ('&lt;script&gt;', '<b>&amp;')
    """
    if isinstance(content, Html):
        return content
    if isinstance(content, list | tuple):
        return Html("".join(html(part) for part in content))
    return Html(escape(_UNSHOWN.sub("\N{REPLACEMENT CHARACTER}", str(content))))


def tag(name: str, /, *content: object, **attributes: object) -> Html:
    """An element.

    Parameters
    ----------
    name : str
    *content : object
        See `html`.
    **attributes : object
        ``class_`` is class, ``aria_label`` is aria-label; None and False are left out, True stands
        alone.

    Examples
    --------
    >>> tag("p", "a < b", class_="note", hidden=True)
    '<p class="note" hidden>a &lt; b</p>'
    """
    words = []
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(f" {key}")
        elif value is not None and value is not False:
            words.append(f' {key}="{html(str(value))}"')
    start = f"<{name}{''.join(words)}>"
    alone = name in ("meta", "link", "br", "input")
    return Html(start if alone else f"{start}{html(list(content))}</{name}>")


def glue(text: str) -> str:
    """Text whose figures are not torn from their units at the end of a line."""
    return _UNIT.sub(
        "\N{NO-BREAK SPACE}", text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
    )


def with_code(sentence: str) -> Html:
    """A sentence as markup, with what stands between grave accents as code.

    Examples
    --------
    >>> with_code("Use `twin run`.")
    'Use <code>twin run</code>.'
    """
    pieces = sentence.split("`")
    if len(pieces) % 2 == 0:
        return html(glue(sentence))
    return html([tag("code", piece) if k % 2 else glue(piece) for k, piece in enumerate(pieces)])


def _glued(cell: object) -> object:
    return glue(cell) if type(cell) is str else cell


def table(
    head: Sequence[object], rows: Iterable[Sequence[object]], caption: str, numbers: bool = False
) -> Html:
    """A table that scrolls by itself where it is too wide; the first cell of a row is its heading.

    Of wide tables of figures the cells carry their headings, so that a page may show them below
    each other on a phone, the verdict first: what is scrolled sideways there is not seen.

    Parameters
    ----------
    head : sequence
        Headings of the columns.
    rows : iterable of sequence
    caption : str
        What the table is, for those who do not see it.
    numbers : bool
        Whether all cells but the first of a row are figures, to be set right; of these a column
        that has a sentence is set left, and its lines are broken.

    Examples
    --------
    >>> 'class="words"' in table(["plan", "why"], [["1", "it misses a target " * 3]], "Plans", True)
    True
    """
    rows = list(rows)
    cards = numbers and len(head) > _MOST_BESIDE and len(rows) <= _MOST_CARDS
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(head)
    kinds = [_kind(column) if numbers else None for column in cells]
    columns = list(zip(head, [None, *kinds[1:]], strict=True))
    body = [
        tag("tr", tag("th", _glued(first), scope="row"),
            [tag("td", _glued(cell), data_head=name if cards else None,
                 class_="verdict" if cards and name == "verdict" else kind)
             for (name, kind), cell in zip(columns[1:], rest, strict=True)])
        for first, *rest in rows
    ]  # fmt: skip
    heads = [tag("th", name, scope="col", class_=kind) for name, kind in columns]
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", heads)),
        tag("tbody", body),
        class_="numbers cards" if cards else "numbers" if numbers else None,
    )
    return tag("div", whole, class_="wide", role="region", aria_label=caption, tabindex="0")


def _kind(column: Sequence[object]) -> str | None:
    """Class of a column of a table of figures that has a sentence."""
    return "words" if any(type(one) is str and len(one) > _SENTENCE for one in column) else None
