"""The parts that a dashboard is made of, built from settings in one place and passed in, so that tests pass others."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from services.contract.settings import Settings
from services.dashboard.hub import Hub
from services.dashboard.pictures import Pictures
from services.dashboard.status import Status, collect
from services.dashboard.store import LiveStore, Store
from services.inspection.deploy import set_limits
from services.inspection.schema import Limits
from services.records.store import Records
from services.results.archive import Archive


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    store: Store
    records: Records
    pictures: Pictures
    hub: Hub
    status: Callable[[], Status]
    """Asks every store; blocking."""
    set_limits: Callable[[int, int], object]
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
        status=partial(collect, settings),
        set_limits=lambda low, high: set_limits(settings, Limits(low, high)),
    )
