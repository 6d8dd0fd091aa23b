"""Passwords -> argon2id hashes and back to yes or no, taking as long for names that do not exist."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.records.errors import WeakPasswordError

SHORTEST, LONGEST = 10, 200
READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
"""Nothing that looks like something else: one-time passwords are read from a screen and typed."""

_hasher = PasswordHasher()  # RFC 9106's second choice: 64 MiB, three passes


def hashed(password: str) -> str:
    return _hasher.hash(password)


def verified(password_hash: str | None, password: str) -> bool:
    """None: there is no such user; then it works as long, and says no."""
    try:
        return _hasher.verify(password_hash or _nobodys(), password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def checked_password(password: str, *, user: str) -> str:
    """Raises WeakPasswordError."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise WeakPasswordError(f"password: expected {SHORTEST} to {LONGEST} characters, got {len(password)}")
    if user in password.lower() or len(set(password)) < 5:
        raise WeakPasswordError("password: expected one that neither holds the user's name nor repeats a few characters")
    return password


def one_time_password() -> str:
    """About 99 bits in four groups."""
    return "-".join("".join(secrets.choice(READABLE) for _ in range(5)) for _ in range(4))


@cache
def _nobodys() -> str:
    return hashed(secrets.token_urlsafe(16))
