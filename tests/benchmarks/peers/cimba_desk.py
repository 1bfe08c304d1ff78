"""cimba: a model a ticket, spawned on arrival; patience is a timer that ends the wait."""

# No `from __future__ import annotations`: cimba reads the annotations of its models.

import math

import cimba as cb
import numpy as np
import pandas as pd
from cimba import random
from desks import Desk, Phone, columns

GAVE_UP = 1


class _Stages(cb.Model):
    gap_s: cb.Param[float]
    first_mu: cb.Param[float]
    first_sigma: cb.Param[float]
    second_mu: cb.Param[float]
    second_sigma: cb.Param[float]
    reviewed: cb.Param[float]
    work_mu: cb.Param[float]
    work_sigma: cb.Param[float]
    patience_s: cb.Param[float]
    provider: cb.Resource
    agents: cb.Resource
    ticket: cb.Dataset
    arrived: cb.Dataset
    categorize_asked: cb.Dataset
    categorize_started: cb.Dataset
    categorize_ended: cb.Dataset
    respond_asked: cb.Dataset
    respond_started: cb.Dataset
    respond_ended: cb.Dataset
    queued: cb.Dataset
    started: cb.Dataset
    ended: cb.Dataset
    left: cb.Dataset

    @cb.process
    def arrivals(self):
        k = 0
        while True:
            cb.hold(random.exponential(self.gap_s))
            cb.spawn(_Ticket, desk=self, k=k)
            k += 1


class _Ticket(cb.Model):
    desk: cb.Ref[_Stages]
    k: int

    @cb.process
    def live(self):
        desk = self.desk
        arrived = cb.now()
        desk.provider.acquire()
        first = cb.now()
        cb.hold(random.lognormal(desk.first_mu, desk.first_sigma))
        desk.provider.release()
        categorized = cb.now()
        desk.provider.acquire()
        second = cb.now()
        cb.hold(random.lognormal(desk.second_mu, desk.second_sigma))
        desk.provider.release()
        responded = cb.now()
        queued, started, ended, left = math.nan, math.nan, math.nan, 0.0
        if random.bernoulli(desk.reviewed):
            queued = responded
            cb.this_process().timer_set(random.exponential(desk.patience_s), GAVE_UP)
            if desk.agents.acquire() == GAVE_UP:
                left = 1.0
            else:
                cb.this_process().timers_clear()
                started = cb.now()
                cb.hold(random.lognormal(desk.work_mu, desk.work_sigma))
                desk.agents.release()
            ended = cb.now()
        desk.ticket.record(self.k)
        desk.arrived.record(arrived)
        desk.categorize_asked.record(arrived)
        desk.categorize_started.record(first)
        desk.categorize_ended.record(categorized)
        desk.respond_asked.record(categorized)
        desk.respond_started.record(second)
        desk.respond_ended.record(responded)
        desk.queued.record(queued)
        desk.started.record(started)
        desk.ended.record(ended)
        desk.left.record(left)


class _Phone(cb.Model):
    gap_s: cb.Param[float]
    work_mu: cb.Param[float]
    work_sigma: cb.Param[float]
    notes_mu: cb.Param[float]
    notes_sigma: cb.Param[float]
    patience_s: cb.Param[float]
    agents: cb.Resource
    ticket: cb.Dataset
    arrived: cb.Dataset
    queued: cb.Dataset
    started: cb.Dataset
    ended: cb.Dataset
    left: cb.Dataset

    @cb.process
    def arrivals(self):
        k = 0
        while True:
            cb.hold(random.exponential(self.gap_s))
            cb.spawn(_Caller, desk=self, k=k)
            k += 1


class _Caller(cb.Model):
    desk: cb.Ref[_Phone]
    k: int

    @cb.process
    def live(self):
        desk = self.desk
        arrived, started, left = cb.now(), math.nan, 1.0
        cb.this_process().timer_set(random.exponential(desk.patience_s), GAVE_UP)
        if desk.agents.acquire() != GAVE_UP:
            cb.this_process().timers_clear()
            started, left = cb.now(), 0.0
            cb.hold(random.lognormal(desk.work_mu, desk.work_sigma))
        ended = cb.now()
        desk.ticket.record(self.k)
        desk.arrived.record(arrived)
        desk.queued.record(arrived)
        desk.started.record(started)
        desk.ended.record(ended)
        desk.left.record(left)
        if left == 0.0:
            cb.hold(random.lognormal(desk.notes_mu, desk.notes_sigma))
            desk.agents.release()


def _model(desk: Desk) -> cb.Model:
    if isinstance(desk, Phone):
        model = _Phone()
        model.notes_mu, model.notes_sigma = desk.wrap_up.mu, desk.wrap_up.sigma
    else:
        model = _Stages()
        model.first_mu, model.first_sigma = desk.categorize.mu, desk.categorize.sigma
        model.second_mu, model.second_sigma = desk.respond.mu, desk.respond.sigma
        model.reviewed = desk.reviewed
        model.provider = cb.Resource(capacity=desk.connections)
    model.gap_s, model.patience_s = desk.gap_s, desk.patience_s
    model.work_mu, model.work_sigma = desk.work.mu, desk.work.sigma
    model.agents = cb.Resource(capacity=desk.agents)
    for name in columns(desk):
        record = cb.Dataset()
        record.capture()
        setattr(model, name, record)
    return model


def play(desk: Desk, horizon_s: float, seed: int) -> dict[str, pd.DataFrame]:
    """A play of either desk; classes are compiled at the first."""
    model = _model(desk)
    results = cb.Experiment(model, window=cb.Window(duration=horizon_s), seed=seed).run(workers=1)
    made = results[model]
    table = {name: np.array(getattr(made, name).trial(0, 0)[1]) for name in columns(desk)}
    return {"tickets": pd.DataFrame(table)}
