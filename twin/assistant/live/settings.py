"""Address and key of the provider: both from one source, so that no key goes elsewhere."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dotenv import dotenv_values

from twin.assistant import errors

DEFAULT_URL = "https://api.groq.com"
KEY, ADDRESS, PLAIN = "GROQ_API_KEY", "GROQ_BASE_URL", "TWIN_PLAIN_HTTP"
ENVIRONMENT, FILE = "the environment", ".env"
# Sent where a server on this machine asks for none.
_NO_KEY = "none"
# Other characters are read differently by different programs, such as "\" before "@".
_HOST = re.compile(r"[\w.\-]+(:\d{1,5})?|\[[0-9a-f:.]+\](:\d{1,5})?", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """Address of the provider, and the key.

    Attributes
    ----------
    key : str
        Never shown.
    url : str
        Without the path that the SDK appends itself.
    source : str
        Where both are from.
    unused : str
        What the other source would have had; mostly empty.
    """

    key: str = field(repr=False)
    url: str
    source: str = field(default=ENVIRONMENT, compare=False)
    unused: str = field(default="", compare=False)

    @classmethod
    def find(cls) -> Settings:
        """From the environment if it has a key or an address, else from ``.env`` of this folder.

        A file that comes with a folder can thus not send the environment's key anywhere.

        Raises
        ------
        NoKey
            If there is none where the address is from, and the server is not on this machine.
        WrongAddress, PlainAddress
            If GROQ_BASE_URL is none, or not encrypted on its way to another machine.
        """
        here, there = _of_environment(), _of_file()
        source, unused = ENVIRONMENT, ""
        if not (here[KEY] or here[ADDRESS]):
            here, source = there, FILE if there[KEY] or there[ADDRESS] else ENVIRONMENT
        elif there[ADDRESS] and not here[ADDRESS]:
            unused = f"{ADDRESS} of {FILE}"
        url = (here[ADDRESS] or DEFAULT_URL).rstrip("/").removesuffix("/openai/v1")
        near = _check(url, plain=here[PLAIN].lower() in ("1", "true", "yes"))
        key = here[KEY]
        if not key:
            if not near:
                raise errors.NoKey
            key = _NO_KEY
        if not key.isascii() or not key.isprintable():
            # It could not be a header; httpx would show it in its complaint.
            raise errors.WrongKey(401)
        return cls(key, url, source, unused)

    @property
    def words(self) -> str:
        """The address that is asked, and where the key is from, in words."""
        parts = urlsplit(self.url)
        key = "no key" if self.key == _NO_KEY else f"the key of {self.source}"
        more = f"; {self.unused} is not used with it" if self.unused else ""
        # Not the path, which may hold something secret.
        return f"live answers come from {parts.scheme}://{parts.netloc}, with {key}{more}"


def secrets() -> list[str]:
    """All keys that there are, so that messages of others can be cleaned of them."""
    return [found[KEY] for found in (_of_environment(), _of_file()) if found[KEY]]


def _of_environment() -> dict[str, str]:
    return {name: os.environ.get(name, "").strip() for name in (KEY, ADDRESS, PLAIN)}


def _of_file() -> dict[str, str]:
    try:
        # Read, never loaded into the environment of the process and its children.
        found = dotenv_values(FILE, interpolate=False)
    except (OSError, ValueError):
        found = {}
    return {name: (found.get(name) or "").strip() for name in (KEY, ADDRESS, PLAIN)}


def _check(url: str, *, plain: bool) -> bool:
    """See that an address can be used; return whether it is on this machine."""
    try:
        parts = urlsplit(url)
        host, netloc = parts.hostname or "", parts.netloc
        usable = parts.scheme in ("http", "https") and _HOST.fullmatch(netloc) is not None
        usable = usable and not (parts.query or parts.fragment) and url.isprintable()
        usable = usable and parts.port != 0 and "\\" not in url and " " not in url
    except ValueError:
        usable = False
    if not usable:
        raise errors.WrongAddress
    near = _is_near(host)
    if parts.scheme == "http" and not near and not plain:
        raise errors.PlainAddress
    return near


def _is_near(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
