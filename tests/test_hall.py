"""The simulated hall: what can be worked out by hand."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import simpy

from benchmarks.hall import FIRST_MAP, SWEEP, Cores, Costs, Job, Lanes, simulate

NOTHING = Costs(*[0.0] * 9)


def test_cores_are_shared_and_nobody_has_more_than_one() -> None:
    env = simpy.Environment()
    cores, ends = Cores(env, 2), {}

    def one(name: str, seconds: float, weight: float) -> simpy.events.ProcessGenerator:
        yield cores.work(seconds, weight)
        ends[name] = env.now

    for name, seconds, weight in (("first", 1, 1), ("second", 1, 1), ("nice", 1, 0)):
        env.process(one(name, seconds, weight or 1e-9))
    env.run()
    assert ends == pytest.approx({"first": 1, "second": 1, "nice": 2})


def test_three_on_two_cores_have_two_thirds_each() -> None:
    env = simpy.Environment()
    cores = Cores(env, 2)
    env.run(env.all_of([cores.work(2.0) for _ in range(3)]))
    assert env.now == pytest.approx(3.0)


def test_one_lane_is_a_queue_that_is_known() -> None:
    """M/D/1: the mean wait is load / (2 (1 - load)) of a service (Pollaczek and Khinchine)."""
    env, drawn, waits, load = simpy.Environment(), random.Random(1), [], 0.6
    lanes = Lanes(env, Cores(env, 1), 1)

    def comes() -> simpy.events.ProcessGenerator:
        start = env.now
        yield lanes.submit(Job(FIRST_MAP, len(waits), [(0.01, env.event())]))
        waits.append(env.now - start - 0.01)

    def all_of_them() -> simpy.events.ProcessGenerator:
        for _ in range(20_000):
            yield env.timeout(drawn.expovariate(load / 0.01))
            env.process(comes())

    env.process(all_of_them())
    env.run(until=20_000 * 0.01 / load)
    assert sum(waits) / len(waits) == pytest.approx(0.01 * load / (2 * (1 - load)), rel=0.1)


def test_a_sweep_gives_way_to_a_first_map() -> None:
    env, ends = simpy.Environment(), {}
    lanes = Lanes(env, Cores(env, 1), 1)

    def one(name: str, rank: int, seconds: float, after: float) -> simpy.events.ProcessGenerator:
        yield env.timeout(after)
        yield lanes.submit(Job(rank, len(name), [(seconds, env.event())]))
        ends[name] = env.now

    env.process(one("sweep", SWEEP, 0.1, 0))
    env.process(one("another", SWEEP, 0.1, 0.001))
    env.process(one("first map", FIRST_MAP, 0.02, 0.005))
    env.run(until=1)
    assert ends == pytest.approx({"first map": 0.03, "sweep": 0.12, "another": 0.22})


def test_what_nobody_waits_for_is_dropped() -> None:
    """Alone on a lane: three labels are waited for, the others end with the next photo."""
    costs = replace(NOTHING, label=0.1, opening=0.02)
    hall = simulate(costs, 1, users=1, seconds=3)
    # 0.02 for the photo and 0.3 for what is looked at; the fourth label ends in the meantime
    assert hall.visits == pytest.approx(3 / 0.35, abs=1.5)


def test_more_users_wait_longer_and_more_cores_help() -> None:
    costs = Costs(0.005, 0.008, 0.003, 0.0, 0.012, 0.02, 0.03, 0.012, 0.011)
    mean = {
        (users, cores): sum(hall.first) / len(hall.first)
        for users, cores in ((1, 2), (32, 2), (32, 4))
        for hall in [simulate(costs, cores, users, 4)]
    }
    assert mean[1, 2] == pytest.approx(0.025, rel=0.05)  # nobody is waited for
    assert mean[32, 2] > mean[32, 4] > mean[1, 2]


def test_who_pauses_between_visits_comes_less_often() -> None:
    costs = Costs(*[0.001] * 9)
    hall = simulate(costs, 2, users=20, seconds=600, pause=30)
    assert hall.visits == pytest.approx(20 * 600 / 30, rel=0.15)
