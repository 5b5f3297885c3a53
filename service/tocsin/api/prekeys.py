"""The stock of prekeys as an operator sees it: how many there are, how fast they are made, and if they are used."""

from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel, Field

from tocsin import clock
from tocsin.api.call import Call
from tocsin.api.models import Strict
from tocsin.api.route import answer
from tocsin.api.services import Services
from tocsin.domain.errors import Unavailable
from tocsin.store.processes import MADE, Counted


class PrekeysView(Strict):
    per_subscription: int = Field(description="0 where they are turned off")
    wanted: int
    stock: int | None = Field(description="null where their server does not answer")
    made_per_second: float = Field(description="by all workers, over the last seconds")
    made: int = Field(description="ever, like the next two")
    used: int = Field(description="messages that were encrypted with one")
    missed: int = Field(description="messages for which there was none, and a key was made on the spot")
    fault: str | None = Field(description="why none are made, and what mends it")


@dataclass(frozen=True)
class Stock:
    """`there` is None where the server does not answer."""

    wanted: int
    there: int | None


async def stock(services: Services) -> Stock:
    prekeys, numbers = services.prekeys, services.store.numbers
    wanted = prekeys.layers * sum((await numbers.counts()).values())
    try:
        return Stock(wanted, sum(await prekeys.stock(await numbers.shards())))
    except Unavailable:
        return Stock(wanted, None)


async def prekeys(call: Call[BaseModel]) -> web.Response:
    services = call.services
    counted: Counted = await services.store.processes.total(clock.milliseconds(clock.now()))
    found = await stock(services)
    return answer(
        PrekeysView(
            per_subscription=services.prekeys.layers,
            wanted=found.wanted,
            stock=found.there,
            made_per_second=counted.rates.get(MADE, 0.0),
            made=counted.prekeys["made"],
            used=counted.prekeys["used"],
            missed=counted.prekeys["missed"],
            fault=await _fault(services),
        )
    )


async def _fault(services: Services) -> str | None:
    if not services.prekeys.layers:
        return None
    try:
        return await services.prekeys.fault()
    except Unavailable:
        return "their server does not answer"
