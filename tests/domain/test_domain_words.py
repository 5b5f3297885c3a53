"""A reader who asks why is told in words, whatever became of the alert."""

import pytest

from tocsin.domain.deliveries import OUTCOMES, Mark, told
from tocsin.domain.words import why


@pytest.mark.parametrize("mark", Mark)
def test_every_byte_has_words(mark: Mark) -> None:
    sentence = why(*told(mark))
    assert sentence.endswith(".")
    assert sentence[0].isupper()


def test_an_alert_that_follows_up_one_not_had_has_words() -> None:
    assert why("skipped", "not_had").endswith(".")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_has_words(outcome: str) -> None:
    assert why(outcome, None)


def test_who_waits_is_told_of_the_quiet_hours() -> None:
    assert why(*told(Mark.DEFERRED)) == "It waits for the end of your quiet hours."
    assert why(*told(Mark.QUIET_HOURS)) == why(*told(Mark.TURNED_QUIET_HOURS)) == "It came in your quiet hours."
