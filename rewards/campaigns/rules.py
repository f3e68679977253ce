"""Pure: what a campaign must look like, which one is live, what it pays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput
from loyalty.ledger.rules import ReturnPolicy
from rewards.campaigns.locks import Lock, check_lock, lock_from_json, lock_to_json
from rewards.campaigns.models import (
    CapSubject,
    CapWindow,
    EventKind,
    Gate,
    OutcomeBasis,
    UnlockKind,
)

AMOUNT_MAX = 10**9
PER_UNIT_AMOUNT_MAX = 10**4  # times 10^9 units of currency, times a tier of 1000 %
BUDGET_MAX = 10**15
OUTCOMES_MAX = 10
DEFAULT_RETURN_POLICY = ReturnPolicy.WITHIN_BALANCE
CAPS_MAX = 10
NAME_LENGTH_MAX = 80
CODE_LENGTH_MAX = 40


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one beneficiary gets: ``amount`` points, growth, chances, or fen of cash; at once, or
    locked until what ``lock`` says."""

    beneficiary: MemberRole
    asset: str
    basis: OutcomeBasis
    amount: int
    lock: Lock | None = None

    def value(self, amount_fen: int = 0) -> int:
        """The amount for one event; ``amount_fen`` is what was spent."""
        if self.basis is OutcomeBasis.FIXED:
            return self.amount
        return self.amount * (amount_fen // 100)


@dataclass(frozen=True, slots=True)
class CouponOutcome:
    """One coupon of a template."""

    beneficiary: MemberRole
    template_id: UUID


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``times_max`` paid events of one subject in one window."""

    subject: CapSubject
    window: CapWindow
    times_max: int


@dataclass(frozen=True, slots=True)
class LiveCampaign:
    """A published version, as rules see it. ``coupon_template_ids``: a coupon of each for the
    consumer."""

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
    coupon_template_ids: tuple[UUID, ...] = ()
    return_policies: Mapping[MemberRole, ReturnPolicy] = field(default_factory=dict)

    def runs_at(self, at: datetime) -> bool:
        """Whether an event of this time falls into the window: start included, end not."""
        return (self.starts_at is None or self.starts_at <= at) and (
            self.ends_at is None or at < self.ends_at
        )

    def outcomes_for(self, beneficiary: MemberRole) -> tuple[Outcome, ...]:
        return tuple(o for o in self.outcomes if o.beneficiary is beneficiary)

    def return_policy(self, beneficiary: MemberRole) -> ReturnPolicy:
        """What may be taken back of what this beneficiary got."""
        return self.return_policies.get(beneficiary, DEFAULT_RETURN_POLICY)


@dataclass(frozen=True, slots=True)
class CampaignIndex:
    """Live campaigns by (event, product), best first, so that an event looks at a handful."""

    by_event: dict[tuple[EventKind, UUID | None], tuple[LiveCampaign, ...]]

    def choose(
        self, event: EventKind, product_id: UUID | None, at: datetime
    ) -> LiveCampaign | None:
        """The campaign for an event: highest priority, then one for this very product."""
        specific = self.by_event.get((event, product_id), ()) if product_id else ()
        general = self.by_event.get((event, None), ())
        candidates = [
            next((c for c in group if c.runs_at(at)), None) for group in (specific, general)
        ]
        best: LiveCampaign | None = None
        for campaign in candidates:
            if campaign and (best is None or campaign.priority > best.priority):
                best = campaign
        return best

    def coupon_template_ids(self) -> set[UUID]:
        """The templates that the campaigns name, for what has to be known of them."""
        return {
            template_id
            for group in self.by_event.values()
            for campaign in group
            for template_id in campaign.coupon_template_ids
        }


def index_campaigns(campaigns: Iterable[LiveCampaign]) -> CampaignIndex:
    """Group by event and product; within a group by priority, then by code."""
    groups: dict[tuple[EventKind, UUID | None], list[LiveCampaign]] = {}
    for campaign in campaigns:
        groups.setdefault((campaign.event, campaign.product_id), []).append(campaign)
    return CampaignIndex(
        {
            key: tuple(sorted(group, key=lambda c: (-c.priority, c.code)))
            for key, group in groups.items()
        }
    )


@dataclass(frozen=True, slots=True)
class CampaignDefinition:
    """What an operator publishes. Budgets are (asset, allowed) and are fixed in kind at the first
    version: later ones may change the amounts, never below what is committed."""

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


def check_definition(definition: CampaignDefinition) -> None:
    """Refuses InvalidInput with the field's path."""
    _check_words(definition)
    if (
        definition.starts_at is not None
        and definition.ends_at is not None
        and definition.starts_at >= definition.ends_at
    ):
        raise InvalidInput(field="endsAt", problem="must be after startsAt")
    if not -1000 <= definition.priority <= 1000:
        raise InvalidInput(field="priority", problem="-1000 to 1000")
    _check_outcomes(definition)
    _check_caps(definition)
    for beneficiary in definition.return_policies:
        if not definition_pays(definition.outcomes, beneficiary):
            raise InvalidInput(
                field=f"returnPolicies.{beneficiary.value}", problem="has no outcome"
            )
    for asset, allowed in definition.budgets.items():
        if not 0 < allowed <= BUDGET_MAX:
            raise InvalidInput(field=f"budgets.{asset}", problem=f"1 to {BUDGET_MAX}")


def _check_words(definition: CampaignDefinition) -> None:
    code = definition.code
    if not 1 <= len(code) <= CODE_LENGTH_MAX or not all(c.isalnum() or c in "-_." for c in code):
        raise InvalidInput(
            field="code", problem=f"1 to {CODE_LENGTH_MAX} letters, digits, hyphens or dots"
        )
    for path, name in (("nameZh", definition.name_zh), ("nameEn", definition.name_en)):
        if not 1 <= len(name.strip()) <= NAME_LENGTH_MAX or not name.isprintable():
            raise InvalidInput(field=path, problem=f"1 to {NAME_LENGTH_MAX} printable characters")


def _check_outcomes(definition: CampaignDefinition) -> None:
    outcomes = definition.outcomes
    if not 1 <= len(outcomes) <= OUTCOMES_MAX:
        raise InvalidInput(field="outcomes", problem=f"1 to {OUTCOMES_MAX} outcomes")
    seen: set[tuple[MemberRole, str | UUID, Lock | None]] = set()
    for i, outcome in enumerate(outcomes):
        path = f"outcomes[{i}]"
        if isinstance(outcome, CouponOutcome):
            _check_coupon(definition.event, path, outcome)
            key: tuple[MemberRole, str | UUID, Lock | None]
            key = (outcome.beneficiary, outcome.template_id, None)
        else:
            _check_amount(definition.event, path, outcome)
            _check_locked(definition.gate, f"{path}.lock", outcome)
            key = (outcome.beneficiary, outcome.asset, outcome.lock)
        if key in seen:
            raise InvalidInput(
                field=path, problem="one outcome per beneficiary, asset or coupon, and lock"
            )
        seen.add(key)
    if not definition_pays(outcomes, MemberRole.CONSUMER):
        raise InvalidInput(field="outcomes", problem="nothing for the consumer")
    if definition.gate is not Gate.NONE and not definition_pays(outcomes, MemberRole.GUIDE):
        raise InvalidInput(field="gate", problem="a gate needs an outcome for the guide")


def _check_amount(event: EventKind, path: str, outcome: Outcome) -> None:
    fixed = outcome.basis is OutcomeBasis.FIXED
    amount_max = AMOUNT_MAX if fixed else PER_UNIT_AMOUNT_MAX
    if not 0 < outcome.amount <= amount_max:
        raise InvalidInput(field=f"{path}.amount", problem=f"1 to {amount_max}")
    allowed = {MemberRole.CONSUMER}
    if event is EventKind.SCAN:
        allowed.add(MemberRole.GUIDE)
    if outcome.beneficiary not in allowed:
        raise InvalidInput(field=f"{path}.beneficiary", problem="not paid by this event")
    if event is EventKind.SCAN and outcome.basis is not OutcomeBasis.FIXED:
        raise InvalidInput(field=f"{path}.basis", problem="a scan has no amount to multiply")


def _check_locked(gate: Gate, path: str, outcome: Outcome) -> None:
    if outcome.lock is None:
        return
    check_lock(path, outcome.lock)
    if outcome.beneficiary is not MemberRole.GUIDE:
        return
    if gate is not Gate.NONE:
        raise InvalidInput(field=path, problem="the gate locks what the guide gets")
    if outcome.lock.kind is UnlockKind.NEXT_SCAN:
        raise InvalidInput(field=f"{path}.kind", problem="only consumers' scans count")


def _check_coupon(event: EventKind, path: str, outcome: CouponOutcome) -> None:
    if event is not EventKind.SCAN:
        raise InvalidInput(field=f"{path}.couponTemplateId", problem="only scans win coupons")
    if outcome.beneficiary is not MemberRole.CONSUMER:
        raise InvalidInput(field=f"{path}.beneficiary", problem="only consumers win coupons")


def definition_pays(outcomes: Iterable[Outcome | CouponOutcome], beneficiary: MemberRole) -> bool:
    """Whether anything is for this beneficiary."""
    return any(outcome.beneficiary is beneficiary for outcome in outcomes)


def _check_caps(definition: CampaignDefinition) -> None:
    if len(definition.caps) > CAPS_MAX:
        raise InvalidInput(field="caps", problem=f"at most {CAPS_MAX}")
    seen = set()
    for i, cap in enumerate(definition.caps):
        if not 0 < cap.times_max <= AMOUNT_MAX:
            raise InvalidInput(field=f"caps[{i}].timesMax", problem=f"1 to {AMOUNT_MAX}")
        if (cap.subject, cap.window) in seen:
            raise InvalidInput(field=f"caps[{i}]", problem="one cap per subject and window")
        if definition.event is not EventKind.SCAN and cap.subject is not CapSubject.MEMBER:
            raise InvalidInput(field=f"caps[{i}].subject", problem="a purchase has only a member")
        seen.add((cap.subject, cap.window))


def outcomes_to_json(outcomes: Iterable[Outcome | CouponOutcome]) -> list[dict[str, Any]]:
    """As stored in a campaign version."""
    return [_outcome_to_json(outcome) for outcome in outcomes]


def _outcome_to_json(outcome: Outcome | CouponOutcome) -> dict[str, Any]:
    if isinstance(outcome, CouponOutcome):
        return {
            "beneficiary": outcome.beneficiary.value,
            "coupon_template_id": outcome.template_id.hex,
        }
    stored = {
        "beneficiary": outcome.beneficiary.value,
        "asset": outcome.asset,
        "basis": outcome.basis.value,
        "amount": outcome.amount,
    }
    return stored if outcome.lock is None else stored | {"lock": lock_to_json(outcome.lock)}


def coupons_from_json(stored: Iterable[dict[str, Any]]) -> tuple[CouponOutcome, ...]:
    """Those of the stored outcomes that are coupons."""
    return tuple(
        CouponOutcome(MemberRole(part["beneficiary"]), UUID(hex=part["coupon_template_id"]))
        for part in stored
        if "coupon_template_id" in part
    )


def outcomes_from_json(stored: Iterable[dict[str, Any]]) -> tuple[Outcome, ...]:
    """Those of the stored outcomes that are amounts."""
    return tuple(
        Outcome(
            MemberRole(part["beneficiary"]),
            part["asset"],
            OutcomeBasis(part["basis"]),
            part["amount"],
            lock_from_json(part.get("lock")),
        )
        for part in stored
        if "asset" in part
    )


def caps_to_json(caps: Iterable[Cap]) -> list[dict[str, Any]]:
    """As stored in a campaign version."""
    return [
        {"subject": c.subject.value, "window": c.window.value, "times_max": c.times_max}
        for c in caps
    ]


def caps_from_json(stored: Iterable[dict[str, Any]]) -> tuple[Cap, ...]:
    return tuple(
        Cap(CapSubject(part["subject"]), CapWindow(part["window"]), part["times_max"])
        for part in stored
    )


def policies_to_json(policies: Mapping[MemberRole, ReturnPolicy]) -> dict[str, str]:
    """As stored in a campaign version."""
    return {beneficiary.value: policy.value for beneficiary, policy in policies.items()}


def policies_from_json(stored: Mapping[str, str]) -> dict[MemberRole, ReturnPolicy]:
    return {MemberRole(role): ReturnPolicy(policy) for role, policy in stored.items()}
