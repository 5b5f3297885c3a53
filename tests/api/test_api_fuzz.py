"""Whatever is sent, the API answers as its document says. Deterministic: a failure here is one everywhere."""

import asyncio
from typing import Any

import schemathesis
from api_served import Served
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from town import ADMIN_KEY

EXAMPLES = 12


def attack(base: str, document: dict[str, Any], tokens: dict[str, str]) -> int:
    """Every operation with requests that fit its schema and requests that do not; how many were sent."""

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        negative_data_rejection,
        allow_header_conformance,
    ]
    sent = 0
    schema = schemathesis.openapi.from_dict(document)
    # Its own list does not know that a body may be too large.
    refusals = ["400", "401", "403", "404", "409", "412", "413", "415", "422", "428", "429"]
    schema.config.checks.negative_data_rejection.expected_statuses = refusals
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @bounded(
                max_examples=EXAMPLES,
                deadline=None,
                derandomize=True,
                database=None,
                phases=(Phase.explicit, Phase.generate),
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def send(case: Any) -> None:
                nonlocal sent
                sent += 1
                case.path_parameters.update(tokens if "{id}" in case.path and sent % 2 else {})
                case.call_and_validate(
                    base_url=base, headers={"Authorization": f"Bearer {ADMIN_KEY}"}, checks=checks, timeout=10
                )

            try:
                send()
            except Unsatisfiable:
                continue  # nothing that does not fit can be made for it
    return sent


async def test_nothing_that_can_be_sent_breaks_the_api_or_its_document(api: Served) -> None:
    document = (await api.call("GET", "/openapi.json")).json
    alert = (await api.queue()).json["id"]

    sent = await asyncio.to_thread(attack, api.base, document, {"id": alert})

    assert sent > 200
    assert (await api.call("GET", "/livez")).status == 200
