"""Stages side by side: order, errors, bounds, and an end when nobody waits any more."""

import threading
import time
from itertools import count, islice

import pytest

from g4g.media.ahead import run_ahead


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
    assert len(made) <= 5
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
