"""Who a request comes from: its password, how many were wrong before, and whether this browser has logged in before."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass, field

from search.dashboard.access import Access, Role
from search.dashboard.throttle import Throttle, client_of
from search.errors import SearchError

COOKIE = "marsearch_client"

_logger = logging.getLogger(__name__)


class TooManyGuesses(SearchError):
    """Too many wrong passwords came from there: the next one is looked at later, be it right or wrong."""

    def __init__(self, wait_s: float) -> None:
        self.retry_after_s = max(1, round(wait_s + 0.5))
        super().__init__(f"too many wrong passwords: try again in {self.retry_after_s} s")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a request says of its sender. address: where it comes from. authorization, cookie: as sent, "" for none."""

    address: str
    authorization: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)


@dataclass(frozen=True)
class Login:
    """Tells the role of a sender.

    A browser that has logged in keeps a cookie, which opens nothing: with it, it does not wait for the guesses of
    strangers at the same address, such as a proxy's. The cookie is the same for all of a role at an address, so that
    nobody gets a fresh allowance by logging in again.
    """

    access: Access
    throttle: Throttle = field(default_factory=Throttle)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def role(self, sent: Credentials) -> Role:
        """What the sender may do. Raises TooManyGuesses, without a look at the password."""
        if not sent.authorization or not self.access.closed:
            return self.access.role(sent.authorization)
        known = self._known(sent)
        client, stranger = f"{known.name} {client_of(sent.address)}", known is Role.NOBODY
        wait_s = self.throttle.wait_s(client, stranger=stranger)
        if wait_s > 0:
            raise TooManyGuesses(wait_s)
        role = self.access.role(sent.authorization)
        if role is Role.NOBODY and self.throttle.wrong(client, sent.authorization, stranger=stranger):
            _logger.warning("a login from %s was refused", sent.address or "an unknown address")
        return role

    def new_cookie(self, role: Role, sent: Credentials) -> str:
        """The header that makes a browser known; "" where it is so already, or where there are no passwords."""
        if not self.access.closed or role is Role.NOBODY or self._known(sent) is role:
            return ""
        return f"{COOKIE}={self._proof(role, sent.address)}; Path=/; HttpOnly; SameSite=Strict"

    def _known(self, sent: Credentials) -> Role:
        """The role in which this browser has logged in before."""
        given = [part.strip().partition("=") for part in sent.cookie.split(";")]
        proofs = [value for name, _, value in given if name == COOKIE][:1]
        for role in (Role.WRITER, Role.VIEWER):
            if any(hmac.compare_digest(proof.encode(), self._proof(role, sent.address).encode()) for proof in proofs):
                return role
        return Role.NOBODY

    def _proof(self, role: Role, address: str) -> str:
        said = f"{role.name} {client_of(address)}".encode()
        return hmac.new(self.key, said, hashlib.sha256).hexdigest()
