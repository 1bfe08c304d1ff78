"""Members of a pool who have skills or shifts of their own, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from twin.scenario.model import Pool

# Beyond these it is a list, not a sentence.
_MOST_NAMED = 5


def of_members(name: str, pool: Pool) -> Iterator[str]:
    """Sentences on skills and shifts that members of a pool have of their own."""
    skilled = [member for member in pool.members if member.skills]
    if skilled:
        said = [f"{one.name} takes {', '.join(one.skills)}" for one in skilled[:_MOST_NAMED]]
        if len(skilled) > _MOST_NAMED:
            said.append(f"and {len(skilled) - _MOST_NAMED:,} more have skills of their own")
        yield f"In {name}, {'; '.join(said)}."
    hours = sum(member.shifts is not None for member in pool.members)
    if hours:
        works = "agent works" if hours == 1 else "agents work"
        yield f"{hours:,} {works} in {name} by shifts of their own, which are in its hours."
