"""A live desk with customers and agents who keep it busy: the desk that the live twin must predict.

Run from the project's folder; it takes as long as its parts together:

    python -m tests.benchmarks.live_people FOLDER [--seed 1] [--rate 3.2] [--agents 12] [--look 8]
        [--minutes 20] [--parts 2]

Customers file tickets at random moments. The assistant (`embedded`) answers those that it is very
sure of; the others wait for agents, who look at the queue now and then, and work it off, the most
urgent first, as long as anybody waits. Time is quick here, so that twenty minutes hold enough
tickets: work of 2 s stands for some minutes of a person. FOLDER gets the desk's store and
`parts.json`, which says when each part began, and what was different in it.
"""

import argparse
import itertools
import json
import math
import random
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tests.live_server import ROOT, served
from twin.demand.corpus import load_corpus

SETTINGS = (
    "assistant.confidence_threshold=0.99", 'assistant.unclear="escalate"',
    "assistant.review_categories=[]",
)  # fmt: skip


@dataclass(frozen=True)
class People:
    """Customers and agents; rates a second, times in seconds.

    Attributes
    ----------
    rate : float
        Tickets a second, at random.
    agents : int
    handle_s, handle_cv : float
        Mean and coefficient of variation of an agent's work on a ticket: lognormal.
    look_s : float
        Mean time between two looks at the queue of an agent whose last look found it empty:
        exponential.
    """

    rate: float = 3.2
    agents: int = 12
    handle_s: float = 2.0
    handle_cv: float = 0.6
    look_s: float = 8.0

    def handle(self, luck):
        """Length of an agent's work."""
        spread = math.log(1 + self.handle_cv**2)
        return luck.lognormvariate(math.log(self.handle_s) - spread / 2, math.sqrt(spread))


@dataclass(frozen=True)
class Part:
    """A part of the play: its minutes, and what is different in it."""

    name: str
    minutes: float
    load: float = 1.0
    fewer: int = 0


PARTS = (
    Part("seen", 12), Part("same", 8), Part("two agents fewer", 8, fewer=2),
    Part("a fifth more tickets", 8, load=1.2),
)  # fmt: skip


class Play:
    """People at a desk.

    Parameters
    ----------
    server : tests.live_server.Server
    people : People
    seed : int
    """

    def __init__(self, server, people, seed):
        self._server, self._people, self._seed = server, people, seed
        self._over = threading.Event()
        self._there = people.agents
        self.errors = []

    def run(self, parts):
        """Play parts one after the other; moments at which they began, and the end."""
        agents = [threading.Thread(target=self._agent, args=(k,))
                  for k in range(self._people.agents)]  # fmt: skip
        for agent in agents:
            agent.start()
        moments, luck = [time.time()], random.Random(f"{self._seed} customers")
        corpus = load_corpus(str(ROOT / "scenarios" / "corpus" / "tickets.csv"))
        for part in parts:
            self._there = self._people.agents - part.fewer
            self._customers(part, moments[-1] + 60 * part.minutes, corpus.texts, luck)
            moments.append(moments[-1] + 60 * part.minutes)
        self._over.set()
        for agent in agents:
            agent.join()
        return moments

    def _customers(self, part, end, texts, luck):
        at = time.time()
        while (at := at + luck.expovariate(self._people.rate * part.load)) < end:
            time.sleep(max(at - time.time(), 0))
            body = {"description": luck.choice(texts)}
            asked = "POST", "/process_ticket", body
            threading.Thread(target=self._ask, args=asked, daemon=True).start()
        time.sleep(max(end - time.time(), 0))

    def _ask(self, *asked):
        status, said = self._server.ask(*asked)
        if status not in (200, 409):
            self.errors.append((asked[:2], status, said))
        return status, said

    def _agent(self, number):
        luck = random.Random(f"{self._seed} agent {number}")
        name = f"agent {number + 1}"
        self._over.wait(luck.expovariate(1 / self._people.look_s))
        while not self._over.is_set():
            if number >= self._there or not self._work(name, luck):
                self._over.wait(luck.expovariate(1 / self._people.look_s))

    def _work(self, name, luck):
        """Work on one ticket, if any waits; return whether one did."""
        for _ in itertools.count():
            found = self._ask("GET", "/queue?status=Escalated&assignee=&limit=5")[1]["tickets"]
            if not found:
                return False
            for ticket in found:
                path = f"/tickets/{ticket['ticket_id']}"
                taken = {"status": "In Progress", "assignee": name, "version": ticket["version"]}
                if self._ask("PATCH", path, taken)[0] == 200:
                    time.sleep(self._people.handle(luck))
                    self._ask("PATCH", path, {"status": "Resolved", "response": "By hand."})
                    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=People.rate, help="tickets a second")
    parser.add_argument("--agents", type=int, default=People.agents)
    parser.add_argument("--look", type=float, default=People.look_s, help="seconds between looks")
    parser.add_argument("--minutes", type=float, help="of each part")
    parser.add_argument("--parts", type=int, help="only so many, the first")
    said = parser.parse_args()
    folder = said.folder.resolve()
    folder.mkdir(parents=True)
    parts = [replace(part, minutes=said.minutes or part.minutes) for part in PARTS[: said.parts]]
    options = [word for change in SETTINGS for word in ("--set", change)]
    scenario = ROOT / "scenarios" / "live-desk.toml"
    with served(folder, str(folder / "desk.sqlite"), *options, scenario=scenario) as server:
        people = People(said.rate, said.agents, look_s=said.look)
        play = Play(server, people, said.seed)
        moments = play.run(parts)
    told = {
        "people": asdict(people),
        "parts": [asdict(part) for part in parts],
        "moments": [datetime.fromtimestamp(at, UTC).isoformat() for at in moments],
        "errors": len(play.errors),
    }
    (folder / "parts.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    print(json.dumps(told["moments"]), len(play.errors), play.errors[:3])


if __name__ == "__main__":
    main()
