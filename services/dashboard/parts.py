"""The parts that a dashboard is made of, built from settings in one place and passed in, so that tests pass others."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from services.contract.settings import Settings
from services.dashboard.hub import Hub
from services.dashboard.people import People
from services.dashboard.pictures import Pictures
from services.dashboard.status import Status, collect
from services.dashboard.store import LiveStore, Store
from services.inspection.deploy import ReplicaState, replica_state, set_limits
from services.inspection.schema import Limits
from services.records.audit import Actor
from services.records.database import Database
from services.records.disclosure import Disclosure
from services.records.jobs import Jobs
from services.records.judging import Judging
from services.records.store import Records
from services.results.archive import Archive
from services.review.desk import Desk
from training.line_datasets import LineDatasets


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    store: Store
    records: Records
    people: People
    judging: Judging
    archive: Archive
    pictures: Pictures
    desk: Desk
    jobs: Jobs
    datasets: LineDatasets
    disclosure: Disclosure
    hub: Hub
    status: Callable[[], Status]
    """Asks every store; blocking."""
    set_limits: Callable[[int, int, Actor], object]
    """Changes and stores the Inspector's replica limits, with their audit row; blocking."""
    replicas: Callable[[], ReplicaState]
    """As Serve sees them; blocking. Raises DeploymentError."""


def build(settings: Settings) -> Parts:
    """Nothing connects before it is used."""
    store, records, archive, database = LiveStore(settings), Records(settings.records_url), Archive(settings), Database(settings.records_url)
    return Parts(
        settings=settings,
        store=store,
        records=records,
        people=People.of(settings, database),
        judging=Judging(database),
        archive=archive,
        pictures=Pictures(settings, store, records, archive),
        desk=Desk.of(settings, database, archive),
        jobs=Jobs(database),
        datasets=LineDatasets.of(settings, database, records),
        disclosure=Disclosure(database),
        hub=Hub(settings, store, records),
        status=partial(collect, settings),
        set_limits=lambda low, high, by: set_limits(settings, Limits(low, high), by=by),
        replicas=partial(replica_state, settings),
    )
