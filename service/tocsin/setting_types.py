"""What settings may hold: each form a type with its check, which says in a sentence what a person can mend."""

import json
import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from tocsin.domain.consent import MAX_VERSION
from tocsin.domain.errors import Misconfigured
from tocsin.domain.levels import Level
from tocsin.domain.notices import texts_fault
from tocsin.domain.origins import parse_origin
from tocsin.domain.text import link_fault
from tocsin.domain.topics import parse_topics


def _split(value: Any) -> Any:
    return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value


def _each(check: Callable[[str], None]) -> AfterValidator:
    def check_all(values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            check(value)
        return values

    return AfterValidator(check_all)


def _base_path(value: str) -> str:
    value = value.rstrip("/")
    if value and not re.fullmatch(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)+", value):
        raise ValueError("must begin with / and hold only letters, digits and . _ ~ - /")
    return value


def _public_url(value: str) -> str:
    if value and urlsplit(value).path.strip("/"):
        raise ValueError("must be scheme and host, without a path (that is BASE_PATH)")
    return parse_origin(value) if value else value


def _page_url(value: str) -> str:
    if value and (message := link_fault(value, ())):
        raise ValueError(message)
    return value


def _reader_url(value: str) -> str:
    # Who tries it out on one machine has no certificate.
    local = re.match(r"http://(localhost|127\.0\.0\.1)(:\d+)?(/|$)", value)
    if value.startswith("http:") and not local:
        raise ValueError("must begin with https:// (or http://localhost, to try it)")
    _page_url(value.replace("http:", "https:", 1) if local else value)
    return value


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else {}
    except ValueError:
        raise ValueError('must be JSON such as {"en": {"push.test": "It works."}}') from None


def _texts(value: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    if message := texts_fault(value):
        raise ValueError(message)
    return value


def _vapid_subject(value: str) -> str:
    # Apple refuses these with 403 BadJwtToken, so they are refused here, before any reader is.
    host = value.rpartition("@")[2] if value.startswith("mailto:") else urlsplit(value).hostname or ""
    local = not host or "." not in host or host.endswith((".local", ".invalid", ".localhost"))
    if not value.startswith(("mailto:", "https:")) or local:
        raise ValueError("must be mailto: or https: with a real host, or Apple refuses every push")
    return value


def _connection(entry: str) -> None:
    if not re.fullmatch(r"[^:\s]+:\d{1,5}:[^:\s]+:\d{1,5}", entry):
        raise ValueError(f"{entry!r} is not host:port:host:port")


def _host(entry: str) -> None:
    if not re.fullmatch(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", entry):
        raise ValueError(f"{entry!r} is not a host's name in lower case, such as www.example.com or .example.com")


def _topics(value: str) -> str:
    try:
        parse_topics(value)
    except Misconfigured as error:
        raise ValueError(error.detail.removeprefix("TOPICS: ")) from None
    return value


def _server_url(value: str) -> str:
    if value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return value


def _network(entry: str) -> None:
    try:
        ip_network(entry, strict=False)
    except ValueError:
        raise ValueError(f"{entry!r} is not an address or a network, such as 10.0.0.0/8") from None


def _origin(entry: str) -> None:
    if entry != (origin := parse_origin(entry)):
        raise ValueError(f"browsers write {entry!r} as {origin}: use that")


def _level(entry: str) -> None:
    if entry not in tuple(Level):
        raise ValueError(f"{entry!r} is no level: {', '.join(Level)}")


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{value!r} is not an IANA time zone") from None
    return value


def _rate(value: str) -> str:
    # 0 would let nobody in, where "off" lets everybody.
    if value != "off" and not re.fullmatch(r"[1-9][0-9]*/(second|minute|hour|day)", value):
        raise ValueError("must be like 10/minute, with 1 at least, or off for no limit")
    return value


def _consent_version(value: str) -> str:
    if value and not re.fullmatch(rf"[A-Za-z0-9._-]{{1,{MAX_VERSION}}}", value):
        raise ValueError(f"must be up to {MAX_VERSION} letters, digits and . _ -, such as 2026-03")
    return value


# Comma-separated in the environment, a list in the file.
_CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Connections = Annotated[_CommaList, _each(_connection)]
Hosts = Annotated[_CommaList, _each(_host)]
Levels = Annotated[_CommaList, _each(_level)]
Networks = Annotated[_CommaList, _each(_network)]
Origins = Annotated[_CommaList, _each(_origin)]

BasePath = Annotated[str, AfterValidator(_base_path)]
ConsentVersion = Annotated[str, AfterValidator(_consent_version)]
NoticeTexts = Annotated[dict[str, dict[str, str]], NoDecode, BeforeValidator(_from_json), AfterValidator(_texts)]
PrivacyUrl = Annotated[str, AfterValidator(_page_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
Rate = Annotated[str, AfterValidator(_rate)]
ReaderUrl = Annotated[str, AfterValidator(_reader_url)]
ServerUrl = Annotated[str, AfterValidator(_server_url)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
TopicList = Annotated[str, AfterValidator(_topics)]
VapidSubject = Annotated[str, AfterValidator(_vapid_subject)]
