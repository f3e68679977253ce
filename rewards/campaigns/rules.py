"""Pure: what campaigns are, which of them are for an event, what they pay."""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Any
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.ledger.rules import ReturnPolicy
from rewards.campaigns.locks import Lock, lock_from_json, lock_to_json
from rewards.campaigns.models import (
    MEMBER_EVENTS,
    CapSubject,
    CapWindow,
    EventKind,
    Gate,
    OutcomeBasis,
)
from rewards.conditions.facts import REGION
from rewards.conditions.rules import Condition
from rewards.draws.rules import LiveDraw
from rewards.draws.terms import DrawTerms, awarded_templates

DEFAULT_RETURN_POLICY = ReturnPolicy.WITHIN_BALANCE
TOGETHER = "ALL"
"""The subject of caps of everybody together."""
COUNTED_MAX = 10**15
"""The limit of a counter that only counts."""


@dataclass(frozen=True, slots=True)
class Bought:
    """What an event spent, and for how many items."""

    amount_fen: int = 0
    quantity: int = 0


NOTHING_BOUGHT = Bought()
_BEHIND_SALES = (MemberRole.STORE, MemberRole.DEALER, MemberRole.SALESPERSON)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a TABLE: so much from so many fen on."""

    from_fen: int
    amount: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one beneficiary gets: ``amount`` points, growth, chances, or fen of cash; at once, or
    locked until what ``lock`` says. A TABLE has ascending ``steps``, and no amount of its own."""

    beneficiary: MemberRole
    asset: str
    basis: OutcomeBasis
    amount: int
    lock: Lock | None = None
    steps: tuple[Step, ...] = ()

    def value(self, bought: Bought = NOTHING_BOUGHT, main: int = 0) -> int:
        """The amount for one event; ``main`` is what its first campaign gives the same beneficiary
        of the asset."""
        match self.basis:
            case OutcomeBasis.FIXED:
                return self.amount
            case OutcomeBasis.PER_CURRENCY_UNIT:
                return self.amount * (bought.amount_fen // 100)
            case OutcomeBasis.PER_UNIT:
                return self.amount * bought.quantity
            case OutcomeBasis.PERCENT_OF_MAIN:
                return self.amount * main // 100
            case OutcomeBasis.TABLE:
                reached = [step for step in self.steps if step.from_fen <= bought.amount_fen]
                return reached[-1].amount if reached else 0


@dataclass(frozen=True, slots=True)
class CouponOutcome:
    """One coupon of a template; at once, or locked until what ``lock`` says."""

    beneficiary: MemberRole
    template_id: UUID
    lock: Lock | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``times_max`` paid events of one subject in one window."""

    subject: CapSubject
    window: CapWindow
    times_max: int


@dataclass(frozen=True, slots=True)
class BonusTerms:
    """Of a bonus campaign: its ``group``, of which one at most pays; that is the first whose
    condition holds, or else the one that gives the event's member most of the asset ``best_of``."""

    group: str
    best_of: str | None = None


@dataclass(frozen=True, slots=True)
class LiveCampaign:
    """A published version, as rules see it. ``outcomes`` are its amounts, ``coupons`` the rest.
    ``event_type_id``: the type of the CUSTOM events that it is for. With ``bonus`` it pays only on
    top of another one. ``regions``: codes of those that it runs in; none: everywhere.
    ``roles``: whom it pays at all; ``channel``: whom its scans or purchases pay of those behind a
    guide or a place."""

    id: UUID
    version_id: UUID
    code: str
    event: EventKind
    gate: Gate
    priority: int
    product_id: UUID | None
    starts_at: datetime | None
    ends_at: datetime | None
    outcomes: tuple[Outcome, ...]
    caps: tuple[Cap, ...]
    coupons: tuple[CouponOutcome, ...] = ()
    return_policies: Mapping[MemberRole, ReturnPolicy] = field(default_factory=dict)
    condition: Condition | None = None
    draw: LiveDraw | None = None
    event_type_id: UUID | None = None
    bonus: BonusTerms | None = None
    regions: tuple[str, ...] = ()
    roles: frozenset[MemberRole] = field(init=False)
    channel: tuple[MemberRole, ...] = field(init=False)

    def __post_init__(self) -> None:
        paid = {outcome.beneficiary for outcome in self.outcomes}
        paid.update(coupon.beneficiary for coupon in self.coupons)
        paid.update(self.draw.terms.roles if self.draw else ())
        has_channel = self.event in (EventKind.SCAN, EventKind.PURCHASE)
        channel = tuple(role for role in _BEHIND_SALES if has_channel and role in paid)
        object.__setattr__(self, "roles", frozenset(paid))
        object.__setattr__(self, "channel", channel)  # once: scans ask for it by the thousand

    @property
    def about_id(self) -> UUID | None:
        """What its events have to be of: a product, or a type of custom events; None for any."""
        return self.product_id or self.event_type_id

    def runs_at(self, at: datetime) -> bool:
        """Whether an event of this time falls into the window: start included, end not."""
        return (self.starts_at is None or self.starts_at <= at) and (
            self.ends_at is None or at < self.ends_at
        )

    def outcomes_for(self, beneficiary: MemberRole) -> tuple[Outcome, ...]:
        return tuple(o for o in self.outcomes if o.beneficiary is beneficiary)

    def coupons_for(self, beneficiary: MemberRole) -> tuple[CouponOutcome, ...]:
        return tuple(c for c in self.coupons if c.beneficiary is beneficiary)

    def pays(self, beneficiary: MemberRole) -> bool:
        """Whether it has anything for this beneficiary."""
        return beneficiary in self.roles

    def draws(self, beneficiary: MemberRole) -> bool:
        """Whether this beneficiary draws."""
        return self.draw is not None and beneficiary in self.draw.terms.roles

    def coupon_template_ids(self) -> list[UUID]:
        """The templates of which it gives coupons to anybody."""
        return [coupon.template_id for coupon in self.coupons]

    def return_policy(self, beneficiary: MemberRole) -> ReturnPolicy:
        """What may be taken back of what this beneficiary got."""
        return self.return_policies.get(beneficiary, DEFAULT_RETURN_POLICY)


GroupKey = tuple[EventKind, UUID | None, str | None, MemberRole | None]
Groups = dict[GroupKey, tuple[LiveCampaign, ...]]
"""Campaigns by event, by product or type (None for any), by region (None for everywhere), and by
the role of whom they pay (None of scans and purchases, which pay several at once)."""


@dataclass(frozen=True, slots=True)
class CampaignIndex:
    """Live campaigns by (event, product or type, region, role), best first, so that an event looks
    at a handful. Bonus campaigns are apart."""

    by_event: Groups
    bonuses_by_event: Groups = field(default_factory=dict)
    is_regional: bool = False
    """Whether any of them runs in some regions alone, so that it matters where somebody is."""

    def all(self) -> list[LiveCampaign]:
        """Every one of them, once."""
        groups = (*self.by_event.values(), *self.bonuses_by_event.values())
        return list({campaign.id: campaign for group in groups for campaign in group}.values())

    def asks_where(self) -> bool:
        """Whether it matters to any of them in which region an event is."""
        return self.is_regional or self.reads(REGION)

    def reads(self, fact: str) -> bool:
        """Whether a condition of any of them reads a fact, or one of its draw's."""
        return any(
            (campaign.condition is not None and fact in campaign.condition.facts)
            or (campaign.draw is not None and fact in campaign.draw.fact_names)
            for campaign in self.all()
        )

    def pays_for(self, event: EventKind) -> bool:
        """Whether any campaign is for events of this kind, whatever they are of."""
        return any(key[0] is event for key in self.by_event)

    def bonuses(
        self,
        event: EventKind,
        about_id: UUID | None,
        at: datetime,
        region: str | None = None,
        role: MemberRole | None = None,
    ) -> tuple[LiveCampaign, ...]:
        """The bonus campaigns that may pay on top of an event's: by priority, then by code."""
        if not self.bonuses_by_event:
            return ()
        groups = _groups_of(self.bonuses_by_event, event, about_id, region, role)
        merged = heapq.merge(*groups, key=_by_priority_and_code)
        return tuple(campaign for campaign in merged if campaign.runs_at(at))

    def candidates(
        self,
        event: EventKind,
        about_id: UUID | None,
        at: datetime,
        region: str | None = None,
        role: MemberRole | None = None,
    ) -> tuple[LiveCampaign, ...]:
        """The campaigns that may be an event's, in the order in which their conditions are asked:
        by priority, then those for this very product or type, then those of this very region. One
        without a condition is the last, if it has no draw: without the day's seed that one does
        not run."""
        groups = _groups_of(self.by_event, event, about_id, region, role)
        found: list[LiveCampaign] = []
        for campaign in heapq.merge(*groups, key=_by_priority):
            if campaign.runs_at(at):
                found.append(campaign)
                if campaign.condition is None and campaign.draw is None:
                    break
        return tuple(found)

    def coupon_template_ids(self) -> set[UUID]:
        """The templates that the campaigns name, for what has to be known of them."""
        return {
            template_id
            for group in self.by_event.values()  # bonuses give none
            for campaign in group
            for template_id in (
                *campaign.coupon_template_ids(),
                *(awarded_templates(campaign.draw.terms) if campaign.draw else ()),
            )
        }


def _groups_of(
    grouped: Groups,
    event: EventKind,
    about_id: UUID | None,
    region: str | None,
    role: MemberRole | None,
) -> list[tuple[LiveCampaign, ...]]:
    """The groups that an event looks at, the most specific ones first."""
    about = (about_id, None) if about_id else (None,)
    where = (region, None) if region else (None,)
    keys = [(event, what, there, role) for what in about for there in where]
    return [grouped[key] for key in keys if key in grouped]


def _by_priority(campaign: LiveCampaign) -> int:
    return -campaign.priority


def _by_priority_and_code(campaign: LiveCampaign) -> tuple[int, str]:
    return -campaign.priority, campaign.code


def index_campaigns(campaigns: Iterable[LiveCampaign]) -> CampaignIndex:
    """Group by event, product or type, region, and role; within a group by priority, then code."""
    given = sorted(campaigns, key=_by_priority_and_code)
    return CampaignIndex(
        _grouped(campaign for campaign in given if campaign.bonus is None),
        _grouped(campaign for campaign in given if campaign.bonus is not None),
        any(campaign.regions for campaign in given),
    )


def _grouped(campaigns: Iterable[LiveCampaign]) -> Groups:
    groups: dict[GroupKey, list[LiveCampaign]] = {}
    for campaign in campaigns:
        roles = sorted(campaign.roles) if campaign.event in MEMBER_EVENTS else (None,)
        for region, role in product(campaign.regions or (None,), roles):
            key = (campaign.event, campaign.about_id, region, role)
            groups.setdefault(key, []).append(campaign)
    return {key: tuple(group) for key, group in groups.items()}


@dataclass(frozen=True, slots=True)
class CampaignDefinition:
    """What an operator publishes. Budgets are (asset, allowed) and are fixed in kind at the first
    version: later ones may change the amounts, never below what is committed. ``event_type`` is
    the code of the type that one for CUSTOM events is for. ``bonus``: it pays on top of others.
    ``regions``: the codes of those that it runs in; none: everywhere."""

    code: str
    name_zh: str
    name_en: str
    event: EventKind
    outcomes: tuple[Outcome | CouponOutcome, ...]
    gate: Gate = Gate.NONE
    priority: int = 0
    product_id: UUID | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    caps: tuple[Cap, ...] = ()
    budgets: dict[str, int] = field(default_factory=dict)
    return_policies: dict[MemberRole, ReturnPolicy] = field(default_factory=dict)
    condition: str | None = None
    draw: DrawTerms | None = None
    event_type: str | None = None
    bonus: BonusTerms | None = None
    regions: tuple[str, ...] = ()


def definition_pays(outcomes: Iterable[Outcome | CouponOutcome], beneficiary: MemberRole) -> bool:
    """Whether anything is for this beneficiary."""
    return any(outcome.beneficiary is beneficiary for outcome in outcomes)


def outcomes_to_json(outcomes: Iterable[Outcome | CouponOutcome]) -> list[dict[str, Any]]:
    """As stored in a campaign version."""
    return [_outcome_to_json(outcome) for outcome in outcomes]


def _outcome_to_json(outcome: Outcome | CouponOutcome) -> dict[str, Any]:
    stored: dict[str, Any] = {"beneficiary": outcome.beneficiary.value}
    if isinstance(outcome, CouponOutcome):
        stored["coupon_template_id"] = outcome.template_id.hex
    else:
        stored |= {"asset": outcome.asset, "basis": outcome.basis.value, "amount": outcome.amount}
    if isinstance(outcome, Outcome) and outcome.basis is OutcomeBasis.TABLE:
        stored["steps"] = [{"from_fen": s.from_fen, "amount": s.amount} for s in outcome.steps]
    return stored if outcome.lock is None else stored | {"lock": lock_to_json(outcome.lock)}


def parts_from_json(stored: Iterable[dict[str, Any]]) -> tuple[Outcome | CouponOutcome, ...]:
    """All of the stored outcomes, in their order."""
    return tuple(_outcome_from_json(part) for part in stored)


def coupons_from_json(stored: Iterable[dict[str, Any]]) -> tuple[CouponOutcome, ...]:
    """Those of the stored outcomes that are coupons."""
    return tuple(part for part in parts_from_json(stored) if isinstance(part, CouponOutcome))


def outcomes_from_json(stored: Iterable[dict[str, Any]]) -> tuple[Outcome, ...]:
    """Those of the stored outcomes that are amounts."""
    return tuple(part for part in parts_from_json(stored) if isinstance(part, Outcome))


def _outcome_from_json(part: dict[str, Any]) -> Outcome | CouponOutcome:
    beneficiary = MemberRole(part["beneficiary"])
    lock = lock_from_json(part.get("lock"))
    if "coupon_template_id" in part:
        return CouponOutcome(beneficiary, UUID(hex=part["coupon_template_id"]), lock)
    return Outcome(
        beneficiary,
        part["asset"],
        OutcomeBasis(part["basis"]),
        part["amount"],
        lock,
        tuple(Step(step["from_fen"], step["amount"]) for step in part.get("steps", ())),
    )


def policies_to_json(policies: Mapping[MemberRole, ReturnPolicy]) -> dict[str, str]:
    """As stored in a campaign version."""
    return {beneficiary.value: policy.value for beneficiary, policy in policies.items()}


def policies_from_json(stored: Mapping[str, str]) -> dict[MemberRole, ReturnPolicy]:
    return {MemberRole(role): ReturnPolicy(policy) for role, policy in stored.items()}
