"""Stages side by side: order, errors, bounds, and an end when nobody waits any more."""

import threading
import time
from itertools import count, islice

import pytest

from g4g.media.ahead import map_ahead, run_ahead


def test_items_come_in_order_made_by_another_thread():
    made_by = []

    def make():
        for number in range(50):
            made_by.append(threading.get_ident())
            yield number

    assert list(run_ahead(run_ahead(make()))) == list(range(50))
    assert threading.get_ident() not in made_by


def test_only_a_few_items_are_made_before_they_are_asked_for():
    made = []
    stage = run_ahead((made.append(number) or number for number in count()), ahead=2)
    assert next(stage) == 0
    time.sleep(0.3)
    assert len(made) == 3, "one was taken, two wait"
    stage.close()


def test_an_error_comes_out_where_its_item_would_have():
    def make():
        yield 1
        raise ValueError("two")

    stage = run_ahead(run_ahead(make()))
    assert next(stage) == 1
    with pytest.raises(ValueError, match="two"):
        next(stage)


def test_a_stage_that_nobody_takes_from_ends_and_closes_what_it_reads():
    closed, before = [], threading.active_count()

    def make():
        try:
            yield from count()
        finally:
            closed.append(True)

    assert list(islice(run_ahead(run_ahead(make())), 3)) == [0, 1, 2]
    deadline = time.monotonic() + 60
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before and closed == [True]


def test_work_on_neighbouring_items_is_done_side_by_side_and_comes_in_order():
    meeting = threading.Barrier(3, timeout=60)

    def work(number):
        meeting.wait()  # three at a time, or never
        time.sleep(0.001 * (7 - number % 7))
        return 2 * number

    assert list(map_ahead(work, range(30), 3)) == list(range(0, 60, 2))
    assert list(map_ahead(work, [], 3)) == []


def test_only_a_few_more_items_are_taken_than_were_given_and_errors_come_out():
    taken = []
    results = map_ahead(lambda number: 6 // (3 - number), (taken.append(n) or n for n in count()), 2)
    assert [next(results) for _ in range(3)] == [2, 3, 6] and len(taken) <= 5
    with pytest.raises(ZeroDivisionError):
        next(results)
