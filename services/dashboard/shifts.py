"""When the plant's shifts begin -> the shift that a moment belongs to."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from services.contract.settings import SiteSettings


@dataclass(frozen=True, slots=True)
class Shifts:
    """`starts` by the clock on the plant's wall, ascending; the last one lasts until the first of the next day."""

    starts: tuple[time, ...]
    zone: ZoneInfo

    @classmethod
    def of(cls, site: SiteSettings) -> Self:
        return cls(tuple(time.fromisoformat(start) for start in site.shifts), ZoneInfo(site.time_zone))

    def start(self, moment: datetime) -> datetime:
        """When the shift began that this moment is in."""
        local = moment.astimezone(self.zone)
        day, begun = local.date(), [start for start in self.starts if start <= local.time()]
        if not begun:
            day, begun = day - timedelta(days=1), list(self.starts)
        return datetime.combine(day, begun[-1], self.zone)
