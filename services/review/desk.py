"""The parts of a review, built in one place: queue, claims, verdicts, golden frames, and the way to Kafka."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from services.bus.errors import BusError
from services.bus.publisher import KafkaPublisher, Publisher
from services.bus.topics import ensure_topics
from services.contract.settings import Settings, SettingsError
from services.records.database import Database
from services.records.golden import GoldenSets
from services.records.review_queue import ReviewQueue
from services.records.reviews import Reviews
from services.results.archive import Archive
from services.review.claims import Claims, now_utc
from services.review.golden import GoldenFrames
from services.review.outbox import Outbox
from services.review.queue import Queue
from services.review.verdicts import Verdicts

DELIVERY_S = 60.0
"""Longer than kafka-python waits for one request, else it refuses to start; the outbox itself gives up sooner."""
BROKER_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Desk:
    reviews: Reviews
    records: ReviewQueue
    queue: Queue
    claims: Claims
    verdicts: Verdicts
    golden: GoldenFrames
    outbox: Outbox

    @classmethod
    def of(cls, settings: Settings, database: Database, archive: Archive, *, now: Callable[[], datetime] = now_utc) -> Self:
        """Nothing connects before it is used."""
        review = settings.review
        reviews, records = Reviews(database), ReviewQueue(database)
        claims = Claims(reviews, lasts=timedelta(minutes=review.claim_minutes), now=now)
        queue = Queue(records, claims, blind_turns=review.blind_turns, now=now)
        return cls(
            reviews=reviews,
            records=records,
            queue=queue,
            claims=claims,
            verdicts=Verdicts(reviews, records, claims, archive, review, now=now),
            golden=GoldenFrames(reviews, queue, GoldenSets(database), now=now),
            outbox=Outbox(reviews, settings.names.verdicts, lambda: open_publisher(settings)),
        )


def open_publisher(settings: Settings) -> Publisher:
    """Raises BusError where Kafka does not answer, or no address of it is known."""
    try:
        ensure_topics(settings, wait_s=BROKER_WAIT_S)  # a Kafka made anew has none
        return KafkaPublisher(settings, delivery_timeout_s=DELIVERY_S, wait_s=BROKER_WAIT_S)
    except SettingsError as error:
        raise BusError(str(error)) from error
