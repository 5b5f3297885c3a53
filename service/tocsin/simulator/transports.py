"""What is done to a TLS connection below HTTP."""

import asyncio
import socket
import struct

# SO_LINGER on with zero seconds: closing sends RST, not FIN.
LINGER_RESET = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """End the connection with a TCP RST."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
    transport.abort()


def is_resumed(transport: asyncio.Transport) -> bool:
    """Whether the TLS session is an earlier one's, with no certificate shown."""
    return bool(transport.get_extra_info("ssl_object").session_reused)


def speaks_http2(transport: asyncio.Transport) -> bool:
    """What the client chose by ALPN (RFC 7301)."""
    chosen: str | None = transport.get_extra_info("ssl_object").selected_alpn_protocol()
    return chosen == "h2"
