"""The baseline desk as a SimPy tutorial would write it: the yardstick of the speed benchmark.

A simpy.Process a ticket, `with resource.request()`, a scalar numpy draw at a time, rows as lists.
No slow `choice`: categories come from `searchsorted`. It plays the same desk as
scenarios/baseline.toml (arrivals by hour of week with busy days, an assistant behind a provider
with quotas, agents in two pools with shifts, breaks and priorities, triage, review, patience,
wrong hands, reopening, survey) and collects the same columns. Only the content of the answers is
taken from columns made ahead, as in the twin: no simulation should pay for embedding texts.

Where a tutorial would take the plain way, so does this: a ticket that several pools can take waits
in the shortest of their queues, where the twin's pools share one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import simpy

from twin.desk.customers import ALL_COMMENTS, THRESHOLDS, fall_with_wait
from twin.scenario.calendars import staffing

OPEN, CATEGORIZED, IN_PROGRESS, PENDING, ESCALATED, RESOLVED, REOPENED, CLOSED, ABANDONED = range(9)
HANDLE, TRIAGE, REVIEW = range(3)
DONE, LEFT = 0, 2
BY_ASSISTANT, BY_AGENT, BY_REVIEW = range(3)

COLUMNS = {
    "tickets": ["ticket", "arrived", "text", "truth", "priority", "category", "confidence",
                "by_agent", "responded", "resolved", "worker", "solved", "quality", "transfers",
                "reopens"],
    "timeline": ["ticket", "time", "status"],
    "visits": ["ticket", "pool", "activity", "queued", "started", "ended", "end"],
    "calls": ["ticket", "step", "model", "version", "asked", "started", "ended", "quota",
              "attempts", "limited", "tokens_in", "tokens_out", "outcome"],
    "ratings": ["ticket", "when", "rating", "model", "version", "feedback"],
}  # fmt: skip


class Bucket:
    """A quota as a leaky bucket."""

    def __init__(self, limit, period):
        self.limit, self.rate, self.level, self.at = limit, limit / period, 0.0, 0.0

    def wait(self, amount, now):
        self.level = max(0.0, self.level - (now - self.at) * self.rate)
        self.at = now
        return max(0.0, (self.level + amount - self.limit) / self.rate)


class Desk:
    """One run of the desk.

    `demand` tells only what tickets there are: categories, the texts and priorities of each.
    `answers` holds, by step and row of `demand`, what the assistant says (see `test_speed.py`).
    """

    def __init__(self, scenario, demand, answers, seed=1):
        self.answers, self.horizon = answers, scenario.horizon
        self.env = simpy.Environment()
        self.rng = np.random.default_rng(seed)
        weights = np.array(scenario.arrivals.week.weights)
        week = weights / weights.mean() * scenario.arrivals.rate
        # The run starts on a midnight, but not of a Monday.
        self.week = np.roll(week, -24 * scenario.start.weekday())
        self.busyness = 1 / scenario.arrivals.busyness.cv**2
        known = demand.category[: len(answers["categorize"])]
        self.rows = [np.flatnonzero(known == k) for k in range(len(demand.categories))]
        self.mix = np.cumsum(np.full(len(self.rows), 1 / len(self.rows)))
        self.priority = demand.priority.tolist()
        self.threshold = scenario.assistant.confidence_threshold
        self.review = {demand.categories.index(c) for c in scenario.assistant.review_categories}
        self.patience = scenario.customers.patience.mean
        self.pools, self.skills, self.work = {}, {}, {}
        for name, pool in scenario.agents.items():
            stairs = staffing(pool, scenario)
            most = int(stairs.values.max())
            self.pools[name] = simpy.PriorityResource(self.env, capacity=most)
            self.env.process(self.shifts(self.pools[name], stairs, most))
            able = pool.skills or demand.categories
            self.skills[name] = {demand.categories.index(c) for c in able}
            self.work[name] = self.times(pool, demand)
        self.connections = simpy.Resource(self.env, capacity=scenario.provider.concurrency)
        self.rpm, self.tpm = Bucket(1000, 60.0), Bucket(250_000, 60.0)
        self.tickets, self.timeline, self.visits, self.calls, self.ratings = [], [], [], [], []
        self.env.process(self.arrivals())

    @staticmethod
    def times(pool, demand):
        """Mean and cv of the work, by activity and, for handling, category."""
        handle = pool.handle_time
        triage, review = pool.triage_time, pool.review_time
        special = {demand.categories.index(c): (d.mean, d.cv) for c, d in pool.handle_times.items()}
        return {
            HANDLE: (handle.mean, handle.cv),
            TRIAGE: (triage.mean, triage.cv) if triage else (0.1 * handle.mean, handle.cv),
            REVIEW: (review.mean, review.cv) if review else (0.2 * handle.mean, handle.cv),
            "special": special,
        }

    def shifts(self, pool, stairs, most):
        """Off-shift heads are held by requests of the highest priority."""
        held = []
        for k, moment in enumerate(stairs.times):
            if moment > self.env.now:
                yield self.env.timeout(moment - self.env.now)
            away = most - int(stairs.values[k])
            while len(held) < away:
                request = pool.request(priority=-1)
                held.append(request)
            while len(held) > away:
                request = held.pop()
                if request.triggered:
                    pool.release(request)
                else:
                    request.cancel()

    def arrivals(self):
        k, day, busy = 0, -1, 1.0
        while True:
            if self.env.now // 86400 > day:
                day = self.env.now // 86400
                busy = self.rng.gamma(self.busyness, 1 / self.busyness)
            rate = self.week[int(self.env.now // 3600) % 168] * busy
            yield self.env.timeout(self.rng.exponential(1 / rate))
            self.env.process(self.ticket(k))
            k += 1

    def lognormal(self, mean, cv):
        sigma = np.sqrt(np.log1p(cv * cv))
        return self.rng.lognormal(np.log(mean) - sigma * sigma / 2, sigma)

    def status(self, k, status, at=None):
        self.timeline.append((k, self.env.now if at is None else at, status))

    def call(self, k, step, row):
        latency, tokens_in, tokens_out = self.answers[step][row][:3]
        asked = self.env.now
        attempts = limited = 0
        quota = 0.0
        while True:
            attempts += 1
            started = self.env.now
            wait = max(self.rpm.wait(1, started), self.tpm.wait(tokens_in + tokens_out, started))
            if wait == 0:
                self.rpm.level += 1
                self.tpm.level += tokens_in + tokens_out
                with self.connections.request() as connection:
                    yield connection
                    started = self.env.now
                    yield self.env.timeout(latency * self.rng.lognormal(0.0, 0.3))
                break
            limited += 1
            quota += wait
            yield self.env.timeout(wait)
        self.calls.append((k, step, 0, 0, asked, started, self.env.now, quota, attempts, limited,
                           tokens_in, tokens_out, 0))  # fmt: skip

    def agent(self, k, priority, category, truth, activity, patience):
        """A visit to the agents; the name of the pool, or None where the customer left."""
        queued = self.env.now
        names = [name for name in self.pools if category in self.skills[name]]
        free = [name for name in names if self.pools[name].count < self.pools[name].capacity]
        name = free[0] if free else min(names, key=lambda n: len(self.pools[n].queue))
        with self.pools[name].request(priority=priority) as request:
            result = yield request | self.env.timeout(patience)
            if request not in result:
                self.visits.append((k, name, activity, queued, np.nan, self.env.now, LEFT))
                self.status(k, ABANDONED)
                return None
            started = self.env.now
            if activity != REVIEW:
                self.status(k, IN_PROGRESS)
            work = self.work[name]
            if activity == HANDLE and truth not in self.skills[name]:
                mean, cv = work[TRIAGE]
            elif activity == HANDLE:
                mean, cv = work["special"].get(truth, work[HANDLE])
            else:
                mean, cv = work[activity]
            yield self.env.timeout(self.lognormal(mean, cv))
            self.visits.append((k, name, activity, queued, started, self.env.now, DONE))
        return name

    def ticket(self, k):
        env, rng = self.env, self.rng
        arrived = env.now
        truth = int(np.searchsorted(self.mix, rng.random(), side="right"))
        rows = self.rows[truth]
        row = rows[int(rng.random() * len(rows))]
        priority = self.priority[row]
        patience = rng.exponential(self.patience)
        responded = resolved = np.nan
        transfers = reopens = 0
        self.status(k, OPEN)
        yield from self.call(k, "categorize", row)
        category, confidence = self.answers["categorize"][row][3:]
        by_agent = False
        alive = True
        if confidence < self.threshold:
            self.status(k, ESCALATED)
            transfers += 1
            done = yield from self.agent(k, priority, category, truth, TRIAGE, patience)
            alive, category, by_agent = done is not None, truth, True
        worker = solved = -1
        quality = np.nan
        if alive:
            self.status(k, CATEGORIZED)
            self.status(k, IN_PROGRESS)
            step = "respond true" if by_agent else "respond own"
            yield from self.call(k, step, row)
            quality = self.answers[step][row][3]
            worker = BY_ASSISTANT
            if category in self.review:
                self.status(k, PENDING)
                done = yield from self.agent(k, priority, category, truth, REVIEW, patience)
                alive, worker = done is not None, BY_REVIEW
        while alive:
            if np.isnan(responded):
                responded = env.now
            resolved = env.now
            self.status(k, RESOLVED)
            right = worker == BY_AGENT or category == truth
            chance = 0.92 if worker else (0.95 * quality if right else 0.05)
            solved = rng.random() < chance
            if solved or reopens >= 2 or rng.random() >= 0.7:
                if env.now + 86400 < self.horizon:
                    self.status(k, CLOSED, env.now + 86400)
                break
            yield env.timeout(self.lognormal(14400.0, 1.5))
            reopens += 1
            transfers += worker == BY_ASSISTANT
            self.status(k, REOPENED)
            name = yield from self.agent(k, priority, category, truth, HANDLE, patience)
            if name is not None and truth not in self.skills[name]:
                self.status(k, ESCALATED)
                transfers += 1
                name = yield from self.agent(k, priority, truth, truth, HANDLE, patience)
            alive, worker = name is not None, BY_AGENT
        if alive and rng.random() < 0.3:
            u = rng.random()
            opinion = np.log(u / (1 - u)) - fall_with_wait(responded - arrived)
            opinion -= 0.25 * transfers + 0.5 * reopens + 3.0 * (not solved) + 0.5 * (not right)
            rating = 1 + int(np.searchsorted(THRESHOLDS, opinion))
            self.ratings.append((k, env.now, rating, 0, 0, int(rng.random() * len(ALL_COMMENTS))))
        self.tickets.append((
            k, arrived, row, truth, priority, category, confidence, by_agent, responded, resolved,
            worker, solved, quality, transfers, reopens,
        ))  # fmt: skip

    def run(self):
        self.env.run(until=self.horizon)
        return {
            name: pd.DataFrame(getattr(self, name), columns=columns)
            for name, columns in COLUMNS.items()
        }
