"""A change of the prompt as a file: what it adds, who proposed it, and what the guard said.

A scenario takes one by `assistant.learning.change`; without that key the prompts are as they were.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from twin.assistant import prompts
from twin.assistant.learning.guidelines import MOST, fault_of, mark_of
from twin.common.errors import Fault, ScenarioError
from twin.common.files import CHECKSUM, checksum, read_text, reason, unsealed, write_text
from twin.scenario.model import Assistant

BETTER, NOT_SHOWN, NONE = "better", "not shown to be better", "nothing usable proposed"
VERDICTS = (BETTER, NOT_SHOWN, NONE)
_KEY = "assistant.learning.change"
_MOST_BYTES = 1 << 20
_HEAD = """\
# A change of the prompt that answers are asked with. To use it, name this file in a scenario:
# assistant.learning.change (the guard must have found it better). To undo it, remove that key.
"""


@dataclass(frozen=True)
class Change:
    """A change of the prompt and all that is known of it.

    Attributes
    ----------
    before, after : tuple of str
        Guidelines in the prompt of answers.
    verdict : str
        One of `VERDICTS`.
    proposal : dict
        by, when, ratings (name and digest of the file, numbers of its entries) and refused (the
        reasons).
    evidence : dict
        What the guard tested, by which rule, and what it found; empty where nothing was tested.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    verdict: str
    proposal: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the prompt with this change, as it is added to the version on each call."""
        return mark_of(self.after)

    @property
    def diff(self) -> str:
        """The change of the prompt as lines with - and +; empty where nothing changes."""
        before, after = (
            prompts.respond_messages("", "", (), guidelines=lines)[0]["content"].splitlines()
            for lines in (self.before, self.after)
        )
        lines = difflib.unified_diff(before, after, lineterm="", n=1)
        # Without the names of files, which there are none of.
        return "".join(f"{line}\n" for line in list(lines)[3:])

    def as_dictionary(self) -> dict[str, Any]:
        """Plain data, as in the file and in the log."""
        return {
            "verdict": self.verdict,
            "name": self.name,
            "before": list(self.before),
            "after": list(self.after),
            "diff": self.diff,
            "proposal": self.proposal,
            "evidence": self.evidence,
        }


def write_change(path: Path, change: Change) -> None:
    """Write a change, whole or not at all; with a checksum, since the verdict is of these words."""
    data = change.as_dictionary()
    sealed = {CHECKSUM: checksum(data), **data}
    write_text(path, _HEAD + tomli_w.dumps(sealed, multiline_strings=True))


def read_change(path: str | Path) -> Change:
    """A change from its file.

    Raises
    ------
    ScenarioError
        If it is none, or holds what no guideline may.
    DamagedFile
        If it was edited: its verdict is of other words.
    """
    path = Path(path)

    def fail(why: str, hint: str = "") -> ScenarioError:
        return ScenarioError(str(path), [Fault("", why, hint=hint)])

    try:
        data = tomllib.loads(read_text(path, _MOST_BYTES, "a change of the prompt"))
    except (OSError, tomllib.TOMLDecodeError, ValueError) as error:
        said = "not TOML" if isinstance(error, tomllib.TOMLDecodeError) else reason(error)
        raise fail(said) from None
    if CHECKSUM not in data:
        raise fail("not a change of the prompt", "make one with twin reflect")
    data = unsealed(path, data)
    whole = all(
        isinstance(lines, list) and len(lines) <= MOST and all(isinstance(t, str) for t in lines)
        for lines in (data.get("before"), data.get("after"))
    )
    proposal, evidence = data.get("proposal"), data.get("evidence")
    if not whole or not isinstance(proposal, dict) or not isinstance(evidence, dict):
        raise fail(f"not a change of the prompt, of at most {MOST} guidelines")
    if data.get("verdict") not in VERDICTS:
        raise fail(f"verdict: must be one of: {', '.join(VERDICTS)}")
    # A checksum is no signature: whoever wrote the file, its words must be of the kind allowed.
    for number, text in enumerate(data["after"], start=1):
        if why := fault_of(text):
            raise fail(f"guideline {number} {why}")
    before, after = tuple(data["before"]), tuple(data["after"])
    return Change(before, after, data["verdict"], proposal, evidence)


def guidelines_of(settings: Assistant) -> tuple[str, ...]:
    """Guidelines that a scenario's answers are asked with; none without `learning.change`.

    None, either, for a profile that was measured with the change.

    Raises
    ------
    ScenarioError
        If its change cannot be read, was not found better, or is read by no model.
    """
    path = settings.learning.change
    if path is None:
        return ()
    measured = settings.profile.measured if settings.backend == "profile" else None
    if measured is not None and measured.prompt_version.endswith(f"+{read_change(path).name}"):
        # It was measured with this change.
        return ()
    if settings.backend not in ("groq", "replay"):
        why = f'backend "{settings.backend}" reads no prompt, so it cannot keep guidelines'
        raise ScenarioError(path, [Fault(_KEY, why, hint="use groq or replay, or remove the key")])
    change = read_change(path)
    if change.verdict != BETTER:
        why = f"the guard did not let it pass: {change.verdict}"
        raise ScenarioError(path, [Fault(_KEY, why, hint="remove the key")])
    return change.after


def added(version: str, guidelines: Sequence[str]) -> str:
    """Version of the prompts with guidelines, as recorded on each call.

    Examples
    --------
    >>> added("1", []), added("1", ["Begin with the step that solves it."])
    ('1', '1+gb4ddd982')
    """
    mark = mark_of(guidelines)
    return f"{version}+{mark}" if mark else version
