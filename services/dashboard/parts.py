"""The parts that a dashboard is made of, built from settings in one place and passed in, so that tests pass others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.contract.settings import Settings
from services.dashboard.hub import Hub
from services.dashboard.pictures import Pictures
from services.dashboard.store import LiveStore, Store
from services.records.store import Records
from services.results.archive import Archive


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    store: Store
    records: Records
    pictures: Pictures
    hub: Hub
    status: Callable[[], Any]
    """The stack's state as a pydantic model; blocking."""
    set_limits: Callable[[int, int], None]
    """Changes and stores the Inspector's replica limits; blocking."""


def build(settings: Settings) -> Parts:
    """Nothing connects before it is used."""
    store, records = LiveStore(settings), Records(settings.records_url)
    return Parts(
        settings=settings,
        store=store,
        records=records,
        pictures=Pictures(settings, store, records, Archive(settings)),
        hub=Hub(settings, store, records),
        status=lambda: _status(settings),
        set_limits=lambda low, high: _set_limits(settings, low, high),
    )


def _status(settings: Settings) -> Any:
    from services.dashboard.status import collect  # asks Kafka and Ray: heavy clients, only for those who ask

    return collect(settings)


def _set_limits(settings: Settings, low: int, high: int) -> None:
    from services.inspection.deploy import set_limits
    from services.inspection.schema import Limits

    set_limits(settings, Limits(low, high))
