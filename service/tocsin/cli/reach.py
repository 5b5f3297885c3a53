"""Whether the push services answer from here, asked on the very way that alerts go: resolver, guard, trust and all."""

from collections.abc import Sequence

from tocsin.domain.deliveries import Answer, Failure
from tocsin.domain.endpoints import Endpoint
from tocsin.push.sender import Envelope
from tocsin.push.senders import make_sender
from tocsin.settings import Settings

# A dot-suffix names no host; this is the one that Apple's browsers subscribe at.
_HOSTS = {".push.apple.com": "web.push.apple.com"}

ADVICE = {
    Failure.DNS: "its name does not resolve: check this machine's DNS",
    Failure.CONNECT: "nothing answers at its port 443: let this machine out through the firewall",
    Failure.TIMEOUT: "it does not answer in time: let this machine out to port 443 through the firewall",
    Failure.TLS: "its certificate is not trusted: see the system's roots, or TOCSIN_PUSH_CA_FILE",
    Failure.BROKEN: "the connection breaks: something on the way does not let it through",
    Failure.REFUSED_ADDRESS: "its name leads to an address that is no public server's: check this machine's DNS",
}


def hosts(allowed: Sequence[str]) -> list[str]:
    """The hosts that can be asked; for other dot-suffixes only subscriptions know any."""
    return [host for entry in allowed if not (host := _HOSTS.get(entry, entry)).startswith(".")]


async def ask(settings: Settings) -> dict[str, dict[str, Answer]]:
    """For each push service the answers of its hosts. Any status is one: nothing is sent to anybody."""
    asked = [Endpoint(f"https://{host}/", host) for host in hosts(settings.allowed_push_hosts)]
    sender = make_sender(settings)
    try:
        answers = await sender.send([Envelope(one.url, "", b"", ttl=0, urgency="very-low") for one in asked])
    finally:
        await sender.close()
    found: dict[str, dict[str, Answer]] = {}
    for endpoint, answer in zip(asked, answers, strict=True):
        found.setdefault(endpoint.push_service, {})[endpoint.host] = answer
    return found
