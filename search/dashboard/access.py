"""Passwords, roles and host names of a dashboard, read from the environment."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from bottle import parse_auth

from search.errors import UsageError

SHORTEST = 8  # characters of a password
PASSWORD = "MARSEARCH_DASHBOARD_PASSWORD"  # noqa: S105
VIEWER = "MARSEARCH_DASHBOARD_VIEWER_PASSWORD"
HOSTS = "MARSEARCH_DASHBOARD_HOSTS"


class Role(IntEnum):
    """What the sender of a request may do; a higher role includes the lower ones."""

    NOBODY = 0
    VIEWER = 1
    WRITER = 2


@dataclass(frozen=True, kw_only=True)
class Access:
    """The passwords and names of a dashboard.

    password: of those who may write; "" when nobody may. viewer: of those who may read; "" for none of their own.
    Without any password everybody reads and nobody writes.
    hosts: names under which it is reached, beside this machine's own and addresses in numbers; "*" for any.
    """

    password: str = field(default="", repr=False)
    viewer: str = field(default="", repr=False)
    hosts: tuple[str, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether reading needs a password."""
        return bool(self.password or self.viewer)

    def role(self, authorization: str) -> Role:
        """What the sender of this header may do. The user name does not matter; both passwords are always compared."""
        given = _password(authorization)
        writes, reads = (_same(given, known) for known in (self.password, self.viewer))
        if writes:
            return Role.WRITER
        return Role.VIEWER if reads or not self.closed else Role.NOBODY

    def knows(self, host: str, bound: str) -> bool:
        """Whether a request may name this host (with or without a port): a foreign name may be an attack.

        Whoever owns a domain can point it at an address here, and the browser would take our pages for theirs
        ("DNS rebinding"). An address in numbers cannot be pointed elsewhere.
        """
        name = _name(host)
        return "*" in self.hosts or name in ("localhost", bound.lower(), *self.hosts) or _is_address(name)


def read_access(environment: Mapping[str, str]) -> Access:
    """The access that the environment asks for.

    Each password may stand in a file instead, named by the variable with ``_FILE`` behind it.
    Raises UsageError for a password that is too short or a file that cannot be read.
    """
    hosts = tuple(_name(name) for name in environment.get(HOSTS, "").split(",") if name.strip())
    access = Access(password=_secret(environment, PASSWORD), viewer=_secret(environment, VIEWER), hosts=hosts)
    if access.password and access.password == access.viewer:
        raise UsageError(f"{PASSWORD} and {VIEWER} are the same: whoever reads could write, choose two")
    return access


def check_binding(host: str, access: Access) -> None:
    """Raise UsageError when the address lets others in and there is no password."""
    if not access.closed and not is_loopback(host):
        raise UsageError(
            f"--host {host} lets others in, and there is no password: set {PASSWORD} (or {PASSWORD}_FILE),"
            " or stay on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; a name other than localhost may mean anything."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _secret(environment: Mapping[str, str], name: str) -> str:
    secret, path = environment.get(name, ""), environment.get(f"{name}_FILE", "")
    if secret and path:
        raise UsageError(f"{name} and {name}_FILE are both set: leave one of them out")
    if path:
        try:
            secret = Path(path).read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{name}_FILE names {path}: a readable text file was expected") from error
        if not secret:
            raise UsageError(f"{name}_FILE names {path}, which is empty: write a password into it")
    if secret and len(secret) < SHORTEST:
        raise UsageError(f"{name} has {len(secret)} characters: use at least {SHORTEST}, best random ones")
    return secret


def _password(authorization: str) -> str:
    login = parse_auth(authorization)
    return login[1] if login else ""


def _same(given: str, known: str) -> bool:
    """Compare in constant time, independent of where the texts differ and of the length of the known one."""
    one, other = (hashlib.sha256(text.encode()).digest() for text in (given, known))
    return hmac.compare_digest(one, other) and bool(known)


def _name(host: str) -> str:
    """The host of ``host:port``, ``[::1]:port`` and so on, in lower case and without brackets."""
    text = host.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
