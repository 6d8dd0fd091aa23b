"""Failed logins -> how long to wait before the next one. Pure: no clock, no store; what it knows ends with the process."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

FREE = 5
FREE_OF_ADDRESS = 30
FREE_OF_USER = 60
"""Somebody who guesses from many addresses is slowed down too, later: else anybody could keep a user out."""
FIRST_S, LONGEST_S = 15.0, 900.0
FORGOTTEN_AFTER_S = 3600.0
REMEMBERED = 20_000


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_at: float = 0.0
    free: int = FREE

    def wait_s(self, now: float) -> float:
        """Doubles with every failure beyond the free ones."""
        if self.count < self.free:
            return 0.0
        return max(0.0, self.last_at + min(LONGEST_S, FIRST_S * 2.0 ** min(self.count - self.free, 10)) - now)


class Attempts:
    """Counts by user and address together, and more patiently by either alone."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def wait_s(self, user: str, address: str, now: float) -> float:
        """0: go on."""
        return max(self._failures[key].wait_s(now) if key in self._failures else 0.0 for key, _ in _keys(user, address))

    def failed(self, user: str, address: str, now: float) -> None:
        """To be called before the password is checked: guesses at the same time must not all be free."""
        for key, free in _keys(user, address):
            known = self._failures.get(key)
            if known is None or now - known.last_at > FORGOTTEN_AFTER_S:
                known = self._failures[key] = _Failures(free=free)
            known.count, known.last_at = known.count + 1, now
            self._failures.move_to_end(key)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """What was counted ahead was no failure; those of the address alone stay but for it."""
        self._failures.pop((user, address), None)
        for key, _ in _keys(user, address):
            if key in self._failures:
                self._failures[key].count = max(0, self._failures[key].count - 1)


def _keys(user: str, address: str) -> Iterator[tuple[tuple[str, str], int]]:
    yield (user, address), FREE
    yield ("", address), FREE_OF_ADDRESS
    yield (user, ""), FREE_OF_USER
