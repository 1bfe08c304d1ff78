"""Address and token of a help desk: from the environment or the keyring, never from a file."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from twin.common.errors import Fault, ScenarioError

# Name in the keyring, under which each tool has its token (and the secret of its webhook).
SERVICE = "support-desk-twin"
# Tools whose token belongs to a user that must be named.
_WITH_USER = ("zendesk", "jira")


@dataclass(frozen=True)
class Account:
    """Access to a help desk.

    Attributes
    ----------
    tool : str
    url : str
        https, or http on this machine only.
    user : str
        Mail address of the token's owner, where the tool asks for it.
    token, secret : str
        Never shown; `secret` signs the tool's webhooks, and may be empty.
    """

    tool: str
    url: str
    user: str = ""
    token: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """The help desk's name in the store: tool and host."""
        return f"{self.tool}:{urlsplit(self.url).netloc}"


def find_account(tool: str, url: str = "", user: str = "") -> Account:
    """The account of a tool.

    Parameters
    ----------
    tool : str
    url, user : str
        Where they are given; else ``TWIN_<TOOL>_URL`` and ``TWIN_<TOOL>_USER``.

    Raises
    ------
    ScenarioError
        If the address cannot be used, or something is missing.
    """
    prefix = f"TWIN_{tool.upper()}"
    url = check_url(url or os.environ.get(f"{prefix}_URL", ""), f"{prefix}_URL")
    user = user or os.environ.get(f"{prefix}_USER", "")
    if tool in _WITH_USER and not user:
        raise _missing(f"{prefix}_USER", "the mail address of the token's owner is missing")
    token = _secret(f"{prefix}_TOKEN", tool)
    if not token:
        hint = f"or store it with: keyring set {SERVICE} {tool}"
        raise _missing(f"{prefix}_TOKEN", "there is no token in the environment", hint)
    secret = _secret(f"{prefix}_WEBHOOK_SECRET", f"{tool} webhook")
    return Account(tool, url, user, token, secret)


def check_url(url: str, where: str) -> str:
    """An address that a token may be sent to, without a slash at its end.

    Raises
    ------
    ScenarioError
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    plain = parts.scheme == "http" and _is_here(host)
    if not host or not (parts.scheme == "https" or plain):
        reason = "must be an https address (http only on this machine)"
        raise _missing(where, reason, "as https://desk.example.com")
    if parts.username or parts.password or parts.query or parts.fragment or not url.isprintable():
        raise _missing(where, "must be an address alone: no user, ? or #")
    return url.rstrip("/")


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _secret(variable: str, name: str) -> str:
    """A secret of the environment, else of the keyring; empty where neither has it."""
    found = os.environ.get(variable, "") or _of_keyring(name)
    found = found.strip()
    if not all("!" <= c <= "~" for c in found):
        raise _missing(variable, "may hold printable ASCII characters only")
    return found


def _of_keyring(name: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ModuleNotFoundError:
        return ""
    try:
        return keyring.get_password(SERVICE, name) or ""
    except KeyringError:
        # A machine without a keyring, such as a server: the environment is left.
        return ""


def _missing(key: str, reason: str, hint: str = "") -> ScenarioError:
    return ScenarioError("the help desk's account", [Fault(key, reason, hint=hint)])
