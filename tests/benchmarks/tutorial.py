"""The baseline desk as a SimPy tutorial would write it: the yardstick of the benchmark.

A simpy.Process a ticket, `with resource.request()`, a scalar numpy draw at a time, rows as lists.
No slow `choice`: categories come from `searchsorted`. It plays the same desk as
scenarios/baseline.toml (arrivals by hour of week with busy days, an assistant behind a provider
with quotas, agents in two pools with shifts, breaks and priorities, triage, review, patience,
reopening, survey) and collects the same columns; only the content of the answers is taken from
columns made ahead, as in the twin, since no simulation should pay for embedding texts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import simpy

from twin.customers import ALL_COMMENTS, THRESHOLDS, fall_with_wait

OPEN, CATEGORIZED, IN_PROGRESS, REVIEW, ESCALATED, RESOLVED, REOPENED, CLOSED, ABANDONED = range(9)

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
    def __init__(self, limit, period):
        self.limit, self.rate, self.level, self.at = limit, limit / period, 0.0, 0.0

    def wait(self, amount, now):
        self.level = max(0.0, self.level - (now - self.at) * self.rate)
        self.at = now
        return max(0.0, (self.level + amount - self.limit) / self.rate)


class Desk:
    def __init__(self, scenario, answers, staffing, horizon, seed=1):
        self.s, self.answers, self.horizon = scenario, answers, horizon
        self.env = simpy.Environment()
        self.rng = np.random.default_rng(seed)
        self.pools = {}
        for name, stairs in staffing.items():
            most = int(stairs.values.max())
            self.pools[name] = simpy.PriorityResource(self.env, capacity=most)
            self.env.process(self.shifts(self.pools[name], stairs, most))
        self.connections = simpy.Resource(self.env, capacity=scenario["concurrency"])
        self.rpm, self.tpm = Bucket(1000, 60.0), Bucket(250_000, 60.0)
        self.tickets, self.timeline, self.visits, self.calls, self.ratings = [], [], [], [], []
        self.env.process(self.arrivals())

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
        week = self.s["week"]
        k = 0
        while True:
            rate = week[int(self.env.now // 3600) % 168]
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

    def agent(self, k, priority, category, activity, mean, cv, patience):
        queued = self.env.now
        names = [n for n, skills in self.s["skills"].items() if not skills or category in skills]
        free = [n for n in names if self.pools[n].count < self.pools[n].capacity]
        name = free[0] if free else min(names, key=lambda n: len(self.pools[n].queue))
        with self.pools[name].request(priority=priority) as request:
            result = yield request | self.env.timeout(patience)
            if request not in result:
                self.visits.append((k, name, activity, queued, np.nan, self.env.now, 2))
                self.status(k, ABANDONED)
                return None
            started = self.env.now
            if activity == 0:
                self.status(k, IN_PROGRESS)
            yield self.env.timeout(self.lognormal(mean, cv))
            self.visits.append((k, name, activity, queued, started, self.env.now, 0))
        return started

    def ticket(self, k):
        env, rng = self.env, self.rng
        arrived = env.now
        truth = int(np.searchsorted(self.s["mix"], rng.random(), side="right"))
        rows = self.s["rows"][truth]
        row = rows[int(rng.random() * len(rows))]
        priority = self.s["priority"][row]
        patience = rng.exponential(64800.0)
        responded = resolved = np.nan
        transfers = reopens = 0
        self.status(k, OPEN)
        yield from self.call(k, "categorize", row)
        _, _, _, category, confidence = self.answers["categorize"][row]
        by_agent = False
        alive = True
        if confidence < self.s["threshold"]:
            self.status(k, ESCALATED)
            transfers += 1
            alive = (yield from self.agent(k, priority, category, 1, 60.0, 0.6, patience)) is not None
            category, by_agent = truth, True
        worker = solved = -1
        quality = np.nan
        if alive:
            self.status(k, CATEGORIZED)
            self.status(k, IN_PROGRESS)
            step = "respond true" if by_agent else "respond own"
            yield from self.call(k, step, row)
            quality = self.answers[step][row][3]
            worker = 0
            if category in self.s["review"]:
                self.status(k, REVIEW)
                done = yield from self.agent(k, priority, category, 2, 180.0, 0.7, patience)
                alive, worker = done is not None, 2
        while alive:
            if np.isnan(responded):
                responded = env.now
            resolved = env.now
            self.status(k, RESOLVED)
            right = worker == 1 or category == truth
            chance = 0.92 if worker else (0.95 * quality if right else 0.05)
            solved = rng.random() < chance
            if solved or reopens >= 2 or rng.random() >= 0.7:
                if env.now + 86400 < self.horizon:
                    self.status(k, CLOSED, env.now + 86400)
                break
            yield env.timeout(self.lognormal(14400.0, 1.5))
            reopens += 1
            transfers += worker == 0
            self.status(k, REOPENED)
            mean, cv = (840.0, 1.0) if truth == self.s["technical"] else (540.0, 0.9)
            alive = (yield from self.agent(k, priority, category, 0, mean, cv, patience)) is not None
            worker = 1
        if alive and rng.random() < 0.3:
            u = rng.random()
            opinion = np.log(u / (1 - u)) - fall_with_wait(responded - arrived)
            opinion -= 0.25 * transfers + 0.5 * reopens + 3.0 * (not solved) + 0.5 * (not right)
            rating = 1 + int(np.searchsorted(THRESHOLDS, opinion))
            self.ratings.append((k, env.now, rating, 0, 0, int(rng.random() * len(ALL_COMMENTS))))
        self.tickets.append((k, arrived, row, truth, priority, category, confidence, by_agent,
                             responded, resolved, worker, solved, quality, transfers, reopens))  # fmt: skip

    def run(self):
        self.env.run(until=self.horizon)
        return {
            name: pd.DataFrame(getattr(self, name), columns=columns)
            for name, columns in COLUMNS.items()
        }
