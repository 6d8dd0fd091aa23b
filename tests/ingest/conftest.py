"""A publisher that acknowledges when it is told to, and what tests of ingest keep building."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Event
from typing import Any

import pytest

from services.bus.errors import BusError
from services.bus.record import Position
from services.ingest.outlet import Outlet


class HeldPublisher:
    """Keeps what was sent; acknowledges at once, or when `acknowledge` is called. `refusal` is raised by the next sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes, dict[str, bytes]]] = []
        self.futures: list[Future[Position]] = []
        self.holding = False
        self.refusal: BusError | None = None

    def send(
        self, topic: str, value: bytes, *, key: bytes | None, headers: Sequence[tuple[str, bytes]] = (), partition: int | None = None, wait_s: float = 0
    ) -> Future[Position]:
        if self.refusal is not None:
            raise self.refusal
        self.sent.append((value, key or b"", dict(headers)))
        self.futures.append(Future())
        if not self.holding:
            self.acknowledge()
        return self.futures[-1]

    def acknowledge(self, error: BusError | None = None) -> None:
        for at, future in enumerate(self.futures):
            if not future.done():
                future.set_exception(error) if error else future.set_result(Position("frames", 0, at))

    @property
    def frame_ids(self) -> list[str]:
        return [headers["ce_id"].decode() for _, _, headers in self.sent]

    def flush(self, timeout_s: float) -> None:
        pass

    def close(self, timeout_s: float = 5) -> None:
        pass


@pytest.fixture
def publisher() -> HeldPublisher:
    return HeldPublisher()


@pytest.fixture
def outlet(publisher: HeldPublisher) -> Outlet:
    connected = Outlet("frames", lambda: publisher)
    connected.connect(Event())
    return connected


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], None]:
    """Waits for a state, at most 10 s."""

    def wait(state: Callable[[], Any]) -> None:
        pause = Event()
        for _ in range(1000):
            if state():
                return
            pause.wait(0.01)
        pytest.fail("the state did not come within 10 s")

    return wait
