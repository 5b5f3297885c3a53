"""What became of an alert for one browser, in words for its reader."""

from tocsin.domain.decisions import Reason

_OUTCOMES = {
    "accepted": "Your browser's push service accepted it for you.",
    "gone": "The push service said that this browser is not subscribed any more.",
    "rejected": "The push service refused it.",
    "expired": "Its time was over before the push service could take it.",
    "stopped": "The newsroom stopped it before your turn came.",
    "opted_out": "You had unsubscribed, or did not follow it any more, when your turn came.",
    "set_aside": "Something here failed while it was made ready for you; the operators can see it.",
    "deferred": "It waits for the end of your quiet hours.",
    "retrying": "The push service did not take it yet; it is being tried again.",
    "pending": "It is on its way.",
}
_REASONS: dict[str, str] = {
    Reason.LANGUAGE: "It is in another language than yours.",
    Reason.MUTED_STORY: "You muted its story.",
    Reason.SNOOZED: "You had paused alerts.",
    Reason.LEVEL: "It was not as important as the level that you chose.",
    Reason.QUIET_HOURS: "It came in your quiet hours.",
    Reason.DAILY_CAP: "You had had as many alerts as you wish in a day.",
    "subscribed_later": "You subscribed after it was sent.",
    "not_followed": "You follow none of its topics, nor its story.",
    "not_had": "It follows up an alert that you did not have.",
    "key_missing": "Your browser subscribed with an older key of ours; a visit to the page mends that.",
    "corrected": "It was corrected before your turn came; you got the correction instead.",
}


def why(outcome: str, reason: str | None) -> str:
    """The outcome and reason are those of `deliveries.told`, and `not_had`."""
    if outcome == "deferred" or reason is None:
        return _OUTCOMES[outcome]
    return _REASONS[reason]
