"""How often the reconciler is woken, whatever the clock does."""

from datetime import timedelta

from tocsin.jobs import Every


def test_it_is_due_after_its_time() -> None:
    every = Every(2)
    assert not every.is_due(every.now()).is_due
    assert every.is_due(every.now() - timedelta(seconds=3)).is_due


def test_a_clock_that_went_back_does_not_put_it_off() -> None:
    every = Every(2)
    assert tuple(every.is_due(every.now() + timedelta(hours=1))) == (True, 2)
