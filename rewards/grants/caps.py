"""Pure: what events are counted in, and how often they may be paid."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from loyalty.clock import local_date
from rewards.campaigns.models import CapSubject, CapWindow
from rewards.campaigns.rules import TOGETHER, Cap, LiveCampaign
from rewards.grants.world import BrandConfiguration, CounterKey, GrantWorld

ALL_TIME = "ALL"


def counter_key(
    brand: BrandConfiguration, campaign: LiveCampaign, cap: Cap, subject: str, at: datetime
) -> CounterKey:
    """The counter that a cap counts in, for one subject at one time."""
    window = local_date(at, brand.timezone).isoformat() if cap.window is CapWindow.DAY else ALL_TIME
    return (brand.id, campaign.id, cap.subject.value, subject, window)


def counter_keys(
    brand: BrandConfiguration,
    campaign: LiveCampaign,
    subjects: dict[CapSubject, str | None],
    at: datetime,
) -> list[tuple[CounterKey, int]]:
    """The counters of an event with their limits; a subject that is not there has none."""
    found = []
    for cap in campaign.caps:
        subject = subjects.get(cap.subject)
        if subject is not None:
            found.append((counter_key(brand, campaign, cap, subject, at), cap.times_max))
    return found


def caps_of(
    brand: BrandConfiguration,
    campaign: LiveCampaign,
    member_id: UUID,
    at: datetime,
    device: str | None = None,
) -> list[tuple[CounterKey, int]]:
    """The counters that an event of a member, on a device if any, counts in, with their limits."""
    subjects = {
        CapSubject.ALL: TOGETHER,
        CapSubject.MEMBER: member_id.hex,
        CapSubject.DEVICE: device,
    }
    return counter_keys(brand, campaign, subjects, at)


def caps_allow(world: GrantWorld, keys: Iterable[tuple[CounterKey, int]]) -> bool:
    """Whether one more paid event fits into each of the counters."""
    return all(world.counters.get(key, 0) < times_max for key, times_max in keys)


def count_caps(world: GrantWorld, keys: Iterable[tuple[CounterKey, int]]) -> None:
    """Count one paid event."""
    for key, times_max in keys:
        world.counters[key] = world.counters.get(key, 0) + 1
        used, _ = world.counter_moves.get(key, (0, 0))
        world.counter_moves[key] = (used + 1, times_max)
