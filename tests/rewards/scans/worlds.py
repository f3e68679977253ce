"""Worlds that scans are tried in: two brands with everything that can happen to a scan, made from
a plan in one transaction. The same plan makes the same world, ids apart."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlmodel import SQLModel

from loyalty.actor import Actor, ActorKind, MemberRole
from loyalty.assets.models import AssetDefinition
from loyalty.brands.models import Brand
from loyalty.codes.models import CodeBatch, CodePurpose, KeyEpoch
from loyalty.codes.rules import DEFAULT_PURPOSES
from loyalty.db import Tx
from loyalty.ids import new_id
from loyalty.ledger.models import Account, AccountKind, Asset
from loyalty.members.models import Identity, Invitation, Member, RosterEntry
from loyalty.places.models import GuidePlace, Place, PlaceChannel
from loyalty.products.models import Product
from rewards.campaigns.caps import caps_to_json, with_counted
from rewards.campaigns.models import (
    Campaign,
    CampaignBudget,
    CampaignVersion,
    CapSubject,
    CapWindow,
    EventKind,
    Gate,
)
from rewards.campaigns.rules import Cap
from rewards.conditions.rules import load_condition
from rewards.coupons.models import CouponTemplate
from rewards.scans.world import ScanRequest
from tests.rewards.scans.canonical import Names
from tests.rewards.scans.cast import BATCHES, LEVELS, PEOPLE, PLACES
from tiers.ladders.models import Ladder, LadderLevel

CONSUMER, GUIDE, STORE = MemberRole.CONSUMER, MemberRole.GUIDE, MemberRole.STORE
DEALER, SALESPERSON = MemberRole.DEALER, MemberRole.SALESPERSON
SERIALS = 5
SOMEWHERE_ELSE = UUID(int=7)
GROWN_UP = dict.fromkeys(("ann", "bob"), date(1990, 1, 1))


@dataclass(frozen=True)
class CampaignPlan:
    """``budgets`` is (asset, allowed); ``opens_after_hours`` counts from the world's beginning.
    ``coupons``: one of each for ``coupons_for``, and how many there are (None: no end of them).
    ``locked``: what is locked besides, each (beneficiary, asset, amount, lock as stored); the
    amounts are all different, so that one is told from the other. Of a bonus its group and what
    that is the best of, and percents of what the first campaign gives."""

    gate: Gate = Gate.NONE
    outcomes: dict[MemberRole, dict[Asset, int]] = field(default_factory=dict)
    caps: dict[tuple[CapSubject, CapWindow], int] = field(default_factory=dict)
    budgets: dict[Asset, int] = field(default_factory=dict)
    opens_after_hours: int = 0
    coupons: tuple[int | None, ...] = ()
    coupons_for: tuple[MemberRole, ...] = (MemberRole.CONSUMER,)
    coupon_lock: dict[str, Any] | None = None
    locked: tuple[tuple[MemberRole, Asset, int, dict[str, Any]], ...] = ()
    return_policies: dict[str, str] = field(default_factory=dict)
    condition: str | None = None
    bonus: tuple[str, Asset | None] | None = None
    percents: dict[MemberRole, dict[Asset, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class BrandPlan:
    """``campaigns[0]`` is for every product, ``campaigns[1]`` for the first one alone, and so are
    the ``bonuses`` by turns. ``tiers_end`` is when a level does that is no longer earned. The
    second product asks for ``age_min``, which Ann and Bob alone have, as if they had said so."""

    campaigns: tuple[CampaignPlan, ...]
    frozen: frozenset[str]
    points_valid_months: int | None
    quantity: int = SERIALS
    tiers_end: str = "NEVER"
    bonuses: tuple[CampaignPlan, ...] = ()
    age_min: int | None = None


@dataclass(frozen=True)
class ScanPlan:
    """``key`` is the idempotency key; ``batch`` 0 is no code at all, ``foreign`` one made with
    another brand's key."""

    brand: int
    person: str
    role: MemberRole
    batch: int
    serial: int
    device: str | None
    key: str
    foreign: bool


@dataclass
class World:
    """A world as made; ``names`` calls its ids the same as those of its twin."""

    brand_ids: list[UUID] = field(default_factory=list)
    epoch_ids: list[UUID] = field(default_factory=list)
    people: dict[tuple[int, str], UUID] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    scans: int = 0

    def request(self, plan: ScanPlan) -> ScanRequest:
        """The world's next scan, as the intake would hand it on."""
        scan_id = new_id()
        self.names.give(scan_id, f"scan {self.scans}")
        self.scans += 1
        person_id = self.people[plan.brand, plan.person]
        epoch = self.epoch_ids[1 - plan.brand if plan.foreign else plan.brand]
        return ScanRequest(
            scan_id=scan_id,
            actor=Actor(ActorKind.MEMBER, self.brand_ids[plan.brand], person_id, plan.role.value),
            key_epoch_id=epoch if plan.batch else None,
            batch_number=plan.batch or None,
            serial=plan.serial,
            idempotency_key=plan.key,
            body_hash=f"{plan.batch} {plan.serial} {plan.device} {plan.foreign}",
            device_hash=plan.device,
            latitude=31.2304 if plan.serial else None,
            longitude=121.4737 if plan.serial else None,
            scene=None,
            address="192.0.2.1",
        )


class _Maker:
    """Gathers one brand's rows, table by table, in the order of their references."""

    def __init__(self, tx: Tx, world: World, index: int) -> None:
        self.tx = tx
        self.world = world
        self.names = world.names
        self.index = index
        self.brand_id = self.new("the brand")
        self.rows: list[SQLModel] = []

    def new(self, name: str) -> UUID:
        made = new_id()
        self.names.give(made, f"{name} {self.index}")
        return made

    def add(self, model: type[SQLModel], **values: Any) -> None:
        self.rows.append(model(brand_id=self.brand_id, **values))

    def brand(self, plan: BrandPlan) -> None:
        slug = f"b{self.brand_id.hex[-20:]}"
        self.names.give(slug, f"slug {self.index}")
        self.rows.append(Brand(id=self.brand_id, slug=slug, name="Brand", created_at=self.tx.now))
        months = plan.points_valid_months
        expiring = {"kind": "AFTER", "unit": "MONTH", "count": months}
        for asset in Asset:
            self.add(
                AssetDefinition,
                code=asset.value,
                name_zh="资产",
                name_en="Asset",
                expiry=expiring if asset is Asset.POINTS and months else {"kind": "NEVER"},
                created_at=self.tx.now,
            )
            for kind in (AccountKind.ISSUANCE, AccountKind.SPENT, AccountKind.REVERSED):
                self.add(
                    Account,
                    owner_id=self.brand_id,
                    asset=asset.value,
                    kind=kind.value,
                    overdraft_allowed=kind is AccountKind.ISSUANCE,
                    created_at=self.tx.now,
                )
        self.world.brand_ids.append(self.brand_id)

    def codes(self, quantity: int, age_min: int | None) -> list[UUID]:
        key_id = self.brand_id.hex[-20:]
        self.names.give(key_id, f"key {self.index}")
        epoch_id = self.new("epoch")
        self.world.epoch_ids.append(epoch_id)
        self.add(KeyEpoch, id=epoch_id, key_id=key_id, wrapped_key="", created_at=self.tx.now)
        products = [self.new("tea"), self.new("beer")]
        for number, product_id in enumerate(products):
            self.add(
                Product,
                id=product_id,
                sku=f"sku-{number}",
                name_zh="品",
                name_en="Product",
                age_min=age_min if number else None,
                created_at=self.tx.now,
            )
        for number, (series, kind, product, status) in enumerate(BATCHES, 1):
            self.add(
                CodeBatch,
                id=self.new(f"batch {number} of"),
                number=number,
                series_no=series,
                key_epoch_id=epoch_id,
                product_id=products[product],
                kind=kind.value,
                purpose=DEFAULT_PURPOSES.get(kind, CodePurpose.TRACE).value,
                quantity=quantity,
                status=status.value,
                created_at=self.tx.now,
            )
        return products

    def people(self, frozen: Iterable[str], asks_age: bool) -> None:
        members = {}
        entries: dict[tuple[str, MemberRole], UUID] = {}
        for name, (roles, rosters, _) in PEOPLE.items():
            identity_id = self.new(name)
            self.world.people[self.index, name] = identity_id
            known = {"phone_hash": name, "born_by": GROWN_UP.get(name) if asks_age else None}
            self.add(Identity, id=identity_id, created_at=self.tx.now, **known)
            for role in rosters:
                entries[name, role] = self.new(f"entry of {name} as {role.value} of")
                self.add(
                    RosterEntry,
                    id=entries[name, role],
                    role=role.value,
                    phone_hash=name,
                    phone_cipher="",
                    name=name,
                    created_at=self.tx.now,
                )
            for role in roles:
                members[name] = member_id = new_id()
                status = "FROZEN" if f"{name} {role.value}" in frozen else "ACTIVE"
                self.add(
                    Member,
                    id=member_id,
                    identity_id=identity_id,
                    role=role.value,
                    status=status,
                    enrolled_at=self.tx.now,
                )
        for name, (_, _, inviter) in PEOPLE.items():
            if inviter is not None:
                self.add(
                    Invitation,
                    inviter_id=members[inviter],
                    phone_hash=name,
                    phone_cipher="",
                    created_at=self.tx.now,
                )
        self.places(entries)

    def places(self, entries: dict[tuple[str, MemberRole], UUID]) -> None:
        for guide, channel in PLACES.items():
            place_id = self.new(f"place of {guide} of")
            terms = {"name": "店", "address": "", "payout_threshold_fen": 1}
            own, now, phone = entries[guide, GUIDE], self.tx.now, channel[STORE]
            known = {"code": guide, "store_phone_hash": phone, "created_at": now}
            self.add(Place, id=place_id, **known, **terms)
            self.add(GuidePlace, roster_entry_id=own, place_id=place_id, set_at=now)
            for role in (DEALER, SALESPERSON):
                if role in channel:
                    self.add(
                        PlaceChannel,
                        place_id=place_id,
                        role=role.value,
                        roster_entry_id=entries[channel[role], role],
                        set_at=self.tx.now,
                    )

    def templates(self, campaign: int, coupons: tuple[int | None, ...]) -> list[UUID]:
        """The first is good for 30 days; the others until days after the world's beginning."""
        found = []
        for number, stock_max in enumerate(coupons):
            found.append(self.new(f"template {number} of campaign {campaign} of"))
            self.add(
                CouponTemplate,
                id=found[-1],
                code=f"t{campaign}-{number}",
                name_zh="券",
                name_en="Coupon",
                kind="AMOUNT_OFF",
                amount_off_fen=500,
                usable_days=30 if number == 0 else None,
                usable_until=None if number == 0 else self.tx.now.date() + timedelta(number * 20),
                stock_max=stock_max,
                created_at=self.tx.now,
            )
        return found

    def campaigns(self, plan: BrandPlan, products: list[UUID]) -> None:
        places = [*range(len(plan.campaigns)), *(n % 2 for n in range(len(plan.bonuses)))]
        for number, campaign in enumerate((*plan.campaigns, *plan.bonuses)):
            templates = self.templates(number, campaign.coupons)
            campaign_id = self.new(f"campaign {number} of")
            self.add(Campaign, id=campaign_id, code=f"c{number}", created_at=self.tx.now)
            self.add(
                CampaignVersion,
                id=self.new(f"version of campaign {number} of"),
                campaign_id=campaign_id,
                version=1,
                name_zh="活动",
                name_en="Campaign",
                event=EventKind.SCAN.value,
                gate=campaign.gate.value,
                priority=0,
                product_id=products[0] if places[number] else None,
                starts_at=self.tx.now + timedelta(hours=campaign.opens_after_hours),
                outcomes=[
                    {
                        "beneficiary": beneficiary.value,
                        "asset": asset.value,
                        "basis": basis,
                        "amount": amount,
                        **more,
                    }
                    for basis, beneficiary, asset, amount, more in given_by(campaign)
                ]
                + [
                    {"beneficiary": role.value, "coupon_template_id": template_id.hex}
                    | ({"lock": campaign.coupon_lock} if campaign.coupon_lock else {})
                    for role in campaign.coupons_for
                    for template_id in templates
                ],
                caps=caps_to_json(counted_caps(campaign)),
                condition=campaign.condition,
                return_policies=campaign.return_policies,
                bonus=campaign.bonus and {"group": campaign.bonus[0], "best_of": campaign.bonus[1]},
                published_by=SOMEWHERE_ELSE,
                published_at=self.tx.now,
            )
            for asset, allowed in campaign.budgets.items():
                self.add(
                    CampaignBudget, campaign_id=campaign_id, asset=asset.value, allowed=allowed
                )

    def ladders(self, plan: BrandPlan) -> None:
        for role, levels in LEVELS.items():
            ladder_id = self.new(f"ladder of {role.value}")
            self.add(
                Ladder,
                id=ladder_id,
                role=role.value,
                version=1,
                ends=plan.tiers_end,
                published_by=SOMEWHERE_ELSE,
                published_at=self.tx.now,
            )
            for rank, (threshold, percent) in enumerate(levels):
                self.add(
                    LadderLevel,
                    ladder_id=ladder_id,
                    rank=rank,
                    code=f"L{rank}",
                    name_zh="级",
                    name_en="Level",
                    growth_threshold=threshold,
                    points_multiplier_percent=percent,
                )


def given_by(
    campaign: CampaignPlan,
) -> Iterable[tuple[str, MemberRole, Asset, int, dict[str, Any]]]:
    for basis, of in (("FIXED", campaign.outcomes), ("PERCENT_OF_MAIN", campaign.percents)):
        for role, given in of.items():
            yield from ((basis, role, asset, amount, {}) for asset, amount in given.items())
    for role, asset, amount, lock in campaign.locked:
        yield "FIXED", role, asset, amount, {"lock": lock}


def counted_caps(campaign: CampaignPlan) -> tuple[Cap, ...]:
    """Its caps, and what its condition counts."""
    caps = [Cap(subject, window, most) for (subject, window), most in campaign.caps.items()]
    if campaign.condition is None:
        return tuple(caps)
    return with_counted(caps, load_condition(campaign.condition, EventKind.SCAN).facts)


async def make_world(tx: Tx, plans: Iterable[BrandPlan]) -> World:
    """A world of these brands; nobody has scanned anything in it yet."""
    world = World()
    world.names.give(SOMEWHERE_ELSE, "an operator")
    rows: dict[type[SQLModel], list[dict[str, Any]]] = {}
    for index, plan in enumerate(plans):
        maker = _Maker(tx, world, index)
        maker.brand(plan)
        products = maker.codes(plan.quantity, plan.age_min)
        maker.people(plan.frozen, plan.age_min is not None)
        maker.campaigns(plan, products)
        maker.ladders(plan)
        for row in maker.rows:
            rows.setdefault(type(row), []).append(row.model_dump())
    connection = await tx.session.connection()
    for model, values in rows.items():
        await connection.execute(insert(model), values)
    return world
