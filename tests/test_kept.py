"""Results of work on an object are kept for that object alone, and only the last ones."""

from twin.common.kept import MadeOnce


class Thing:
    """Any two of them are equal."""

    def __eq__(self, other):
        return isinstance(other, Thing)

    __hash__ = None


def test_equal_objects_have_results_of_their_own():
    kept, one, other = MadeOnce[str](4), Thing(), Thing()
    assert kept.get(one, lambda: "first") == "first"
    assert kept.get(other, lambda: "second") == "second"
    assert kept.get(one, lambda: "again") == "first"
    assert kept.get(one, lambda: "else", more=("a", 1)) == "else"


def test_an_object_that_is_gone_hands_its_result_to_nobody():
    kept = MadeOnce[int](1000)
    for number in range(1000):
        # Most have the id of the one before them.
        assert kept.get(Thing(), lambda number=number: number) == number


def test_only_the_last_ones_are_kept():
    kept, things = MadeOnce[int](2), [Thing() for _ in range(3)]
    for number, one in enumerate(things):
        kept.get(one, lambda number=number: number)
    kept.get(things[1], lambda: 9)
    assert len(kept._kept) == 2
    assert kept.get(things[0], lambda: 7) == 7
    assert kept.get(things[1], lambda: 8) == 1
    assert kept.get(things[2], lambda: 8) == 8
