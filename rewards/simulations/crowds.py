"""Pure: what a crowd that is made up does. The same seed, the same crowd."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import accumulate
from random import Random
from uuid import UUID, uuid5

from loyalty.actor import MemberRole
from loyalty.clock import day_start
from loyalty.codes.models import BatchStatus, CodeKind, CodePurpose
from loyalty.codes.rules import SERIALS_PER_SERIES
from loyalty.statements import DriverUUID
from rewards.campaigns.models import EventKind
from rewards.purchases.models import PurchaseSource
from rewards.purchases.rules import PurchaseFact, PurchasePlace
from rewards.scans.world import BatchView
from rewards.simulations.rules import (
    PPM,
    Crowd,
    Happening,
    PurchaseHappens,
    Region,
    ScanHappens,
)

_NOBODY_ELSES_SERIES = 1
PRE_SCANNED_BEFORE = timedelta(microseconds=1)


def happenings(
    crowd: Crowd,
    event: EventKind,
    brand_id: UUID,
    product_id: UUID | None,
    timezone: str,
    starts_on: date,
    seed: int,
) -> Iterator[Happening]:
    """What happens, in the order of time; a guide's pre-scan comes right before the scan that it
    is for."""
    random = Random(f"crowd|{seed}")
    doing = _Doing(crowd, brand_id, product_id, random)
    for day in range(crowd.days):
        on = starts_on + timedelta(days=day)
        for at in _instants(crowd, on, timezone, random):
            if event is EventKind.PURCHASE:
                yield doing.purchase(at, on)
            else:
                yield from doing.scan(at)


def _instants(crowd: Crowd, on: date, timezone: str, random: Random) -> list[datetime]:
    begin = day_start(on, timezone)
    seconds = (day_start(on + timedelta(days=1), timezone) - begin) // timedelta(seconds=1)
    bounds = list(accumulate(crowd.hours))
    found = []
    for _ in range(crowd.events_per_day):
        hour = bisect_right(bounds, random.randrange(bounds[-1]))
        second = (hour * 3600 + random.randrange(3600)) * seconds // 86_400
        found.append(begin + timedelta(seconds=second, microseconds=random.randrange(10**6)))
    return sorted(found)


def made_up_batches(brand_id: UUID, product_id: UUID | None) -> tuple[BatchView, BatchView]:
    """Of codes that were never printed: INNER ones that pay, OUTER ones that name guides."""
    kinds = ((CodeKind.INNER, CodePurpose.REWARD), (CodeKind.OUTER, CodePurpose.GUIDE))
    inner, outer = (
        BatchView(
            brand_id=brand_id,
            id=uuid5(brand_id, kind),
            key_epoch_id=uuid5(brand_id, "key"),
            number=number,
            series_no=_NOBODY_ELSES_SERIES,
            product_id=product_id or brand_id,
            kind=kind.value,
            purpose=purpose.value,
            quantity=SERIALS_PER_SERIES,
            status=BatchStatus.ACTIVE.value,
        )
        for number, (kind, purpose) in enumerate(kinds, 1)
    )
    return inner, outer


class _Doing:
    """One crowd at its doings: which items have been scanned, and what comes next."""

    def __init__(
        self, crowd: Crowd, brand_id: UUID, product_id: UUID | None, random: Random
    ) -> None:
        self._crowd = crowd
        self._random = random
        self._items = 0
        self._purchases = 0
        self._region_bounds = list(accumulate(region.weight for region in crowd.regions))
        self._inner, self._outer = made_up_batches(brand_id, product_id)

    def purchase(self, at: datetime, on: date) -> PurchaseHappens:
        self._purchases += 1
        buyer = self._person()
        fact = PurchaseFact(
            purchase_ref=f"{self._purchases}",
            member_ref="",
            purchased_on=on,
            quantity=1,
            amount_fen=self._random.randint(self._crowd.amount_fen_from, self._crowd.amount_fen_to),
            at=at,
            source=PurchaseSource.TILL,
            identity_id=buyer,
            place=self._place(self._region()),
        )
        return PurchaseHappens(at, buyer, fact)

    def scan(self, at: datetime) -> Iterator[ScanHappens]:
        person, region = self._person(), self._region()
        place = (None, None) if region is None else (region.latitude, region.longitude)
        if self._items and self._chance(self._crowd.repeated_ppm):
            serial = self._random.randrange(self._items)
        else:
            serial, self._items = self._items, self._items + 1
            if self._chance(self._crowd.pre_scanned_ppm):
                guide = _identity(MemberRole.GUIDE, self._random.randrange(self._crowd.guides))
                before = at - PRE_SCANNED_BEFORE
                yield ScanHappens(
                    before, guide, MemberRole.GUIDE.value, self._outer, serial, guide.hex, *place
                )
        yield ScanHappens(
            at, person, MemberRole.CONSUMER.value, self._inner, serial, person.hex, *place
        )

    def _place(self, region: Region | None) -> PurchasePlace:
        """One of each region, with everybody behind it; where there are none, one place."""
        if region is None:
            return PurchasePlace(uuid5(self._inner.brand_id, "place"), "", None, None)
        where = (region.latitude, region.longitude)
        return PurchasePlace(uuid5(self._inner.brand_id, f"place {where}"), "", *where)

    def _chance(self, ppm: int) -> bool:
        return ppm > 0 and self._random.randrange(PPM) < ppm

    def _person(self) -> UUID:
        number = int(self._crowd.people * self._random.random() ** 2)
        return _identity(MemberRole.CONSUMER, number)

    def _region(self) -> Region | None:
        bounds = self._region_bounds
        if not bounds:
            return None
        return self._crowd.regions[bisect_right(bounds, self._random.randrange(bounds[-1]))]


def _identity(role: MemberRole, number: int) -> UUID:
    kinds = list(MemberRole)
    made: UUID = DriverUUID(((kinds.index(role) + 1) << 64 | number).to_bytes(16))
    return made
