"""What browsers tell of notifications. Which of it is kept says RECEIPTS."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from tocsin.api.call import Call
from tocsin.api.consent import agreed
from tocsin.api.models import Strict
from tocsin.api.proof import prove
from tocsin.domain.errors import Fault, Invalid
from tocsin.domain.receipts import Event, Keeping


class Receipt(Strict):
    alert: Annotated[str, Field(pattern="^[0-9a-f]{22}$", description="its id")]
    event: Event
    subscription: str | None = Field(default=None, max_length=40, description="only where RECEIPTS=individual")
    token: str | None = Field(default=None, max_length=100, description="only where RECEIPTS=individual")

    def check(self, keeping: Keeping) -> None:
        """Raises Invalid where it names its browser to a service that keeps no such thing, or names it half.

        Dropping a name in silence would let a site believe that it is not asked for, and a reader that it is not sent.
        """
        named = {"subscription": self.subscription, "token": self.token}
        if keeping is Keeping.INDIVIDUAL:
            missing = [name for name, value in named.items() if value is None]
            faults = [Fault(name, "is missing") for name in missing] if len(missing) == 1 else []
        else:
            told = f"is not taken here: RECEIPTS={keeping}"
            faults = [Fault(name, told) for name, value in named.items() if value is not None]
        if faults:
            raise Invalid(faults)


async def take_receipt(call: Call[Receipt]) -> web.Response:
    """204 for an alert that nobody knows (any more) as well: its sender could do nothing about it.

    Where names are kept, one of a reader who did not agree to the present text is only counted, as one without a name.
    """
    services, receipt = call.services, call.body
    keeping = services.settings.receipts
    receipt.check(keeping)
    is_new = keeping is not Keeping.OFF
    if receipt.subscription is not None and receipt.token is not None:
        kept = await prove(services.store, receipt.subscription, receipt.token)
        if agreed(call, kept):
            is_new = await services.store.receipts.record(kept.address, receipt.alert, receipt.event)
    if is_new:
        services.tally.add(receipt.alert, receipt.event)
    return web.Response(status=204)
