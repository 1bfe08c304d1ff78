"""Commands in ``twin --help``, in the order in which a newcomer meets them."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

# A title, and its commands.
GROUPS = {
    "Play a desk": ("init", "check", "run", "report", "view", "animate", "compare", "kpis",
                    "schema"),
    "From the export of a help desk": ("import", "pull", "calibrate", "fidelity", "forecast",
                                       "corpus", "assistant"),
    "Find a setting": ("study", "explore", "search", "select", "roster"),
    "Look behind the figures": ("warmup", "variance", "validate"),
    "Language models": ("models", "record", "profile", "evaluate", "rate", "blind", "votes",
                        "reflect", "rag", "overlap", "llm"),
    "A live desk": ("serve", "live-scenario", "tickets", "feedback"),
}  # fmt: skip
_OTHERS = "Others"
# No help of a command is longer: what does not fit on a line goes on below it.
_WHOLE = 200


class GroupedCommands(TyperGroup):
    """Commands by what they are for, each with its whole first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group, and one for commands that are in none."""
        left = {name: self.commands[name] for name in self.commands}
        for title, names in (*GROUPS.items(), (_OTHERS, tuple(left))):
            # What is in a group is taken out, so that the last one has the rest.
            found = [(name, left.pop(name)) for name in names if name in left]
            rows = [(name, one.get_short_help_str(_WHOLE)) for name, one in found if not one.hidden]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
