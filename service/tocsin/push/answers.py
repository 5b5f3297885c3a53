"""A push service's words and libcurl's codes, made into the parts of an `Answer`."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pycurl

from tocsin.domain.deliveries import Failure

# An hour: a push service that asks for more is still looked at hourly, so that a mistake of theirs (a date in
# milliseconds, a year too far) does not silence a newsroom for a day. Less than nothing is nothing.
MAX_RETRY_AFTER = 3_600.0
# At most this much of a reply is read.
MAX_DETAIL = 4_096

_FAILURES = {
    pycurl.E_OPERATION_TIMEDOUT: Failure.TIMEOUT,
    pycurl.E_COULDNT_RESOLVE_HOST: Failure.DNS,
    pycurl.E_COULDNT_CONNECT: Failure.CONNECT,
    pycurl.E_SSL_CONNECT_ERROR: Failure.TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: Failure.TLS,
    pycurl.E_SSL_CACERT_BADFILE: Failure.TLS,
    pycurl.E_SSL_CERTPROBLEM: Failure.TLS,
    pycurl.E_SSL_CIPHER: Failure.TLS,
    pycurl.E_SSL_ISSUER_ERROR: Failure.TLS,
    pycurl.E_SSL_ENGINE_INITFAILED: Failure.TLS,
    # Not an address that we send to at all, as with a private one: http:// or no URL.
    pycurl.E_UNSUPPORTED_PROTOCOL: Failure.REFUSED_ADDRESS,
    pycurl.E_URL_MALFORMAT: Failure.REFUSED_ADDRESS,
}


def failure(code: int) -> Failure:
    """libcurl's code for a request without an answer (never 0); whatever is not known broke on the way."""
    return _FAILURES.get(code, Failure.BROKEN)


def parse_retry_after(text: str, now: datetime) -> float | None:
    """The header Retry-After (RFC 9110 §10.2.3), seconds or an HTTP date, as seconds from `now`: 0 to 3,600.

    None for anything else, as if the header were not there.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        # Digits without end are a number too; ten are over the limit already.
        seconds = float(text[:10])
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            return None
        # RFC 9110 §5.6.7: an HTTP date is in GMT, whether it says so or not.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)
