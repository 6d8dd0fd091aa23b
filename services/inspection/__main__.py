"""Waits for Kafka and Ray, makes the topics, deploys the application and exits 0 once it runs; 1 and a line that says why if it does not."""

import logging
import sys

from services.bus.errors import BusError
from services.bus.topics import ensure_topics
from services.contract import settings as contract
from services.contract.logs import configure_logging
from services.inspection.deploy import deploy
from services.inspection.errors import InspectionError
from services.records.errors import RecordsError

log = logging.getLogger("services.inspection")

KAFKA_WAIT_S = 120.0


def main() -> int:
    configure_logging("inspection")
    try:
        settings = contract.load()
        ensure_topics(settings, wait_s=KAFKA_WAIT_S)
        deploy(settings)
    except (contract.SettingsError, BusError, InspectionError, RecordsError) as error:
        log.error("%s", error)
        return 1
    log.info("application %s runs", settings.names.application)
    return 0


if __name__ == "__main__":
    sys.exit(main())
