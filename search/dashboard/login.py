"""The role of a request's sender, with a rate limit for wrong passwords that spares browsers that logged in before."""

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
    """Too many wrong passwords from this client: no password of it is checked until the delay is over."""

    def __init__(self, wait_s: float) -> None:
        self.retry_after_s = max(1, round(wait_s + 0.5))
        super().__init__(f"too many wrong passwords: try again in {self.retry_after_s} s")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What a request carries. address: of the client. authorization, cookie: the headers, "" for none."""

    address: str
    authorization: str = field(default="", repr=False)
    cookie: str = field(default="", repr=False)


@dataclass(frozen=True)
class Login:
    """Determines the role of a sender.

    After a login a browser gets a cookie. It grants no access; it only gives the browser a rate limit apart from
    strangers at the same address, such as behind a proxy. It is a function of address and role, so that another login
    gives no fresh allowance.
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
        """The value of Set-Cookie after a login; "" if the browser has that cookie, or there are no passwords."""
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
