"""The secret behind readers' tokens. A token is an HMAC of the id and a counter, so a repeat returns the same one."""

import hmac

from tocsin.domain.subscriptions import Record, encode_base64url
from tocsin.store.client import Server
from tocsin.store.secret import Secret

_KEY = "{site}:token-secret"


class TokenSecret:
    def __init__(self, server: Server) -> None:
        self._secret = Secret(server, _KEY)

    async def token(self, record: Record) -> str:
        """43 base64url characters, for this browser alone."""
        message = record.digest + record.token_counter.to_bytes(2)
        return encode_base64url(hmac.digest(await self._secret.load(), message, "sha256"))

    async def proves(self, token: str, record: Record) -> bool:
        # A header may hold any bytes; what is no text of ours cannot be compared, only refused.
        return token.isascii() and hmac.compare_digest(token, await self.token(record))
