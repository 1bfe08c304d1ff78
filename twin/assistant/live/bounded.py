"""Bodies of responses within bounds, whatever their headers say.

What a server sends may neither fill the memory nor break the SDK.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import httpx

from twin.common.errors import TwinError

MOST_BYTES = 20_000_000
# Asked for, and read: others would bring decoders whose output knows no bounds.
ENCODING = "gzip"
_READ = ("gzip", "x-gzip", "deflate")
# Also where it finds the gzip header itself, or that of zlib.
_ANY_HEADER = 32 + zlib.MAX_WBITS


class OutOfBounds(TwinError, ValueError):
    """A body that is too long, or compressed in another way than was asked for."""


class _Body(httpx.AsyncByteStream):
    """The bytes of a response, unpacked, as far as the bound."""

    def __init__(self, stream: httpx.AsyncByteStream, packed: bool, known: bool) -> None:
        self._stream = stream
        self._unpack = zlib.decompressobj(_ANY_HEADER) if packed else None
        self._known = known

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_BYTES
        if not self._known:
            raise OutOfBounds
        async for chunk in self._stream:
            if self._unpack is not None:
                try:
                    chunk = self._unpack.decompress(chunk, left + 1)
                except zlib.error:
                    raise OutOfBounds from None
            left -= len(chunk)
            if left < 0:
                raise OutOfBounds
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def bound(response: httpx.Response) -> None:
    """Put a response within bounds before its body is read: a hook of httpx's."""
    encoding = response.headers.get("content-encoding", "").strip().lower()
    packed = encoding in _READ
    known = packed or encoding in ("", "identity")
    assert isinstance(response.stream, httpx.AsyncByteStream)
    response.stream = _Body(response.stream, packed, known)
    # Unpacked already; and the SDK would look for the codec that the charset names.
    for name in ("content-encoding", "content-length"):
        response.headers.pop(name, None)
    response.headers["content-type"] = "application/json"
