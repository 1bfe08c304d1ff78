"""The agents' queue by the API: the most pressing first, each once, in parts of any size."""

import pytest

from tests.live_desk import TARGETS, fill, pressing, queue
from twin.scenario.model import PRIORITIES


@pytest.mark.parametrize("targets", TARGETS)
def test_the_queue_begins_with_the_most_overdue_and_ends_with_the_last(open_desk, targets):
    desk = open_desk(changes={"targets": targets})
    fill(desk.store)
    every = queue(desk.client)
    assert len(every) == 48
    assert every == sorted(every, key=pressing)
    for status in ("Escalated", "Reopened", "Resolved"):
        of_it = [t["ticket_id"] for t in queue(desk.client, status=status)]
        numbers = [r["id"] for r in desk.store.tickets(status)]
        assert len(of_it) == 24
        assert sorted(of_it) == sorted(numbers)
        # In parts of any size the order is the same, and all are reached.
        for most in (1, 7, 24):
            part = [t["ticket_id"] for t in queue(desk.client, most, status=status)]
            assert part == of_it
    if not targets:
        ranks = [PRIORITIES.index(t["priority"]) for t in every]
        assert ranks == sorted(ranks)


def test_a_promise_for_ages_hence_is_none(open_desk):
    longest = dict.fromkeys(PRIORITIES, "10000000d")
    desk = open_desk(changes={"targets": {"first_response": longest, "resolution": longest}})
    desk.file("unsure")
    for path in ("/tickets", "/queue"):
        (shown,) = desk.client.get(path).get_json()["tickets"]
        assert (shown["first_response_due"], shown["resolution_due"]) == (None, None)


def test_tickets_that_wait_for_others_are_in_the_queue_of_their_status_only(small):
    for _ in range(3):
        small.file("unsure")
    for number, status in ((1, "Waiting for customer"), (2, "On hold")):
        assert small.change(number, status="In Progress").status_code == 200
        assert small.change(number, status=status).status_code == 200
        assert [t["ticket_id"] for t in queue(small.client, status=status)] == [number]
    assert [t["ticket_id"] for t in queue(small.client)] == [3]


def test_a_ticket_that_agents_opened_again_is_not_asked_about_when_it_is_sent_again(small):
    key = {"Idempotency-Key": "k1"}
    small.file("unsure", headers=key)
    asked = len(small.assistant.asked)
    for status in ("In Progress", "Waiting for customer", "Open"):
        assert small.change(1, status=status).status_code == 200
    said = small.file("unsure", headers=key)
    assert (said.status_code, said.get_json()["status"]) == (200, "Open")
    assert len(small.assistant.asked) == asked


def test_tickets_that_leave_a_queue_hide_no_others(small):
    fill(small.store)
    every = [t["ticket_id"] for t in queue(small.client)]
    first = small.client.get("/queue?limit=10").get_json()
    # Some of those that were seen are answered, and a new one comes.
    for shown in first["tickets"][:5]:
        assert small.change(shown["ticket_id"], status="In Progress").status_code == 200
        assert small.change(shown["ticket_id"], status="Resolved", response="x").status_code == 200
    small.file("unsure")
    rest = small.client.get(f"/queue?after={first['next_after']}").get_json()["tickets"]
    assert [t["ticket_id"] for t in rest if t["description"] != "unsure"] == every[10:]


@pytest.mark.parametrize(
    "asked",
    ["after=1", "after=x", "after=", "after=-1.0_0_1", "after=nan_0_1", "after=1e9_0_1",
     "after=1.0_0_1_2", "status=Nobody", "limit=0", "limit=501",
     "after=%D9%A1.0_0_1"],
)  # fmt: skip
def test_an_odd_place_in_the_queue_is_told(small, asked):
    answer = small.client.get(f"/queue?{asked}")
    assert answer.status_code == 422
    assert set(answer.get_json()) == {"error"}
