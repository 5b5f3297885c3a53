"""What a reader is asked to agree to, and what became of it."""

from pydantic import BaseModel

from tocsin import clock
from tocsin.api.call import Call
from tocsin.api.models import ConsentGiven, ConsentText, ConsentView, Registration
from tocsin.domain.consent import Consent
from tocsin.domain.errors import Invalid
from tocsin.settings import Settings
from tocsin.store.subscriptions import Kept


def consent_asked(settings: Settings) -> ConsentText | None:
    if not settings.consent_text_version:
        return None
    return ConsentText(text_version=settings.consent_text_version, text=settings.consent_text)


def check_consent(given: ConsentGiven | None, settings: Settings) -> None:
    """Raises Invalid for a text that is not on the screen now: nobody can agree to what they did not see."""
    if given is None or given.text_version == settings.consent_text_version:
        return
    asked = settings.consent_text_version
    told = f"is not the present version, {asked}: show the text of /v1/site" if asked else "nothing is asked here"
    raise Invalid.at("consent.text_version", told)


async def agree(call: Call[Registration], kept: Kept) -> Kept:
    """Notes a consent that came with a registration, or forgets one that was taken back by null; the first of several
    to one version stands, with its time."""
    if "consent" not in call.body.model_fields_set:
        return kept
    given = call.body.consent
    now_ms = clock.milliseconds(clock.now())
    if given is None:
        store = call.services.store.subscriptions
        return kept if kept.consent is None else await store.take_back_consent(kept, now_ms)
    if kept.consent is not None and kept.consent.text_version == given.text_version:
        return kept
    return await call.services.store.subscriptions.set_consent(kept, Consent(now_ms // 1000, given.text_version))


def agreed(call: Call[BaseModel], kept: Kept) -> bool:
    """Whether receipts may be kept under this browser's name: its reader agreed to the present text."""
    asked = call.services.settings.consent_text_version
    return bool(asked) and kept.consent is not None and kept.consent.text_version == asked


def consent_view(kept: Kept) -> ConsentView | None:
    if kept.consent is None:
        return None
    given_at = clock.from_milliseconds(kept.consent.given * 1000)
    return ConsentView(text_version=kept.consent.text_version, given_at=given_at)
