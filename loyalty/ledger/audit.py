"""The auditor (审计): proves the invariants of the books from the rows alone.

It reads one snapshot by SQL of its own and shares no code with whatever writes those rows: it
imports no model, no rule and no service, so that one mistake cannot be made twice. All checks are
set queries, brand by brand. Invariants whose nouns do not exist yet are not listed.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.db import Database, Snapshot, Statement
from loyalty.ledger.audit_alliances import ALLIANCES
from loyalty.ledger.audit_bonuses import BONUSES
from loyalty.ledger.audit_books import BOOKS
from loyalty.ledger.audit_boxes import BOXES
from loyalty.ledger.audit_channel import CHANNEL
from loyalty.ledger.audit_clearing import CLEARING
from loyalty.ledger.audit_coupons import COUPONS
from loyalty.ledger.audit_deliveries import DELIVERIES
from loyalty.ledger.audit_draws import DRAWS
from loyalty.ledger.audit_history import HISTORY
from loyalty.ledger.audit_holds import HOLDS
from loyalty.ledger.audit_issuance import ISSUANCE
from loyalty.ledger.audit_issuing import ISSUING
from loyalty.ledger.audit_lawful import LAWFUL
from loyalty.ledger.audit_limits import KEYS, LIMITS
from loyalty.ledger.audit_locks import LOCKS
from loyalty.ledger.audit_merges import MERGES
from loyalty.ledger.audit_netting import NETTING
from loyalty.ledger.audit_offers import OFFERS
from loyalty.ledger.audit_payouts import PAYOUTS
from loyalty.ledger.audit_probe import EXAMPLES_MAX, Probe
from loyalty.ledger.audit_programs import PROGRAMS
from loyalty.ledger.audit_raffles import RAFFLE_TABLES, RAFFLES, raffle_prizes
from loyalty.ledger.audit_redemptions import REBATES, STEPS
from loyalty.ledger.audit_references import REFERENCES
from loyalty.ledger.audit_returns import RETURNS
from loyalty.ledger.audit_scans import SCANS
from loyalty.ledger.audit_shares import SHARES
from loyalty.ledger.audit_tasks import TASK_PERIODS, TASKS, task_periods
from loyalty.ledger.audit_webhooks import WEBHOOKS

_ALL = (
    *(BOOKS, ISSUANCE, HISTORY, SCANS, BONUSES, DRAWS, LOCKS, COUPONS, STEPS, REBATES),
    *(HOLDS, LIMITS, OFFERS, RETURNS, MERGES, KEYS, DELIVERIES, PAYOUTS, REFERENCES),
    *(RAFFLES, PROGRAMS, LAWFUL, CHANNEL, WEBHOOKS, CLEARING, ALLIANCES, ISSUING),
    *(NETTING, TASKS, BOXES, SHARES),
)
PROBES: tuple[Probe, ...] = tuple(
    sorted((probe for probes in _ALL for probe in probes), key=lambda probe: probe.invariant)
)

CLOCK_SKEW_MAX = timedelta(minutes=5)
NEVER = date(9999, 12, 31)

_BRANDS = Statement(
    "SELECT id, slug, timezone FROM brands ORDER BY slug",
    returns="id uuid, slug text, timezone text",
)
_VERSIONS = Statement(
    "SELECT id, campaign_id, event, CAST(outcomes AS text), CAST(caps AS text),"
    " CAST(draw AS text) FROM campaign_versions WHERE brand_id = :brand",
    params="brand uuid",
    returns="id uuid, campaign_id uuid, event text, outcomes text, caps text, draw text",
)
_SCAN_DAYS = Statement(
    "SELECT DISTINCT date(occurred_at) FROM scan_events WHERE brand_id = :brand",
    params="brand uuid",
    returns="utc_day date",
)
_LOT_DAYS = Statement(
    "SELECT DISTINCT debit_expires_on FROM transfers"
    " WHERE brand_id = :brand AND debit_expires_on IS NOT NULL",
    params="brand uuid",
    returns="expires_on date",
)
_COUPON_DAYS = Statement(
    "SELECT usable_from FROM coupons WHERE brand_id = :brand"
    " UNION SELECT usable_until FROM coupons WHERE brand_id = :brand"
    " UNION SELECT ordered_on FROM offer_orders WHERE brand_id = :brand",
    params="brand uuid",
    returns="day date",
)


@dataclass(frozen=True)
class Check:
    """One question of the audit and its answer over all audited brands.

    ``broken`` is how many offenders there are (rows, or groups of rows that belong together),
    ``examples`` up to five of them as "id: what is wrong", ``checked`` how many rows were looked
    at. ``invariant`` is the number in the published list.
    """

    invariant: int
    name: str
    name_zh: str
    broken: int
    examples: list[str]
    checked: int


class NoSuchBrand(LookupError):
    """The audit was asked for a brand that does not exist."""


@dataclass(frozen=True)
class _BrandFacts:
    """What probes join besides the tables: configuration and calendar, unfolded into sets."""

    brand_id: UUID | None
    sets: dict[str, list[tuple[Any, ...]]]
    today: date | None = None


async def audit(
    db: Database,
    brand_slug: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Check]:
    """Check every invariant on one consistent snapshot; writes nothing.

    ``brand_slug`` limits it to one brand (NoSuchBrand if there is none) and leaves out what is
    asked of all brands at once. ``progress`` is called with each check's name before it runs.
    """
    async with db.snapshot() as snap:
        brands = [row for row in await snap.fetch(_BRANDS) if brand_slug in (None, row[1])]
        if brand_slug is not None and not brands:
            raise NoSuchBrand(brand_slug)
        facts = [await _brand_facts(snap, row[0], ZoneInfo(row[2])) for row in brands]
        checks = []
        sizes: dict[tuple[str, UUID | None], int] = {}
        for probe in PROBES:
            if not probe.per_brand and brand_slug is not None:
                continue
            if progress is not None:
                progress(probe.name)
            over = facts if probe.per_brand else [_BrandFacts(None, {})]
            checks.append(await _run(snap, probe, over, sizes))
        return checks


async def _run(
    snap: Snapshot,
    probe: Probe,
    over: list[_BrandFacts],
    sizes: dict[tuple[str, UUID | None], int],
) -> Check:
    """Ask one probe of each brand. ``sizes`` keeps what was counted already."""
    broken, checked = 0, 0
    examples: list[str] = []
    soon = snap.now + CLOCK_SKEW_MAX
    for facts in over:
        scalars = {
            "brand": facts.brand_id,
            "never": NEVER,
            "soon": soon,
            "today": facts.today,
        }
        values = {name: scalars[name] for name in probe.params}
        sets = {name: facts.sets[name] for name in probe.sets}
        size_key = (probe.over, facts.brand_id)
        if size_key not in sizes:
            named = {"brand": facts.brand_id} if probe.per_brand else {}
            sizes[size_key] = (await snap.fetch(probe.size, **named))[0][0]
        checked += sizes[size_key]
        found = await snap.fetch(probe.offenders, **values, **sets)
        broken += found[0][2] if found else 0
        examples.extend(_readable(f"{row[0]}: {row[1]}") for row in found)
    return Check(
        probe.invariant, probe.name, probe.name_zh, broken, examples[:EXAMPLES_MAX], checked
    )


def _readable(example: str) -> str:
    # SQLite keeps ids as bare hexadecimal; people search for them as they are written elsewhere.
    return re.sub(r"\b[0-9a-f]{32}\b", lambda bare: str(UUID(bare[0])), example)


async def _brand_facts(snap: Snapshot, brand_id: UUID, zone: ZoneInfo) -> _BrandFacts:
    versions = await snap.fetch(_VERSIONS, brand=brand_id)
    scan_days = [row[0] for row in await snap.fetch(_SCAN_DAYS, brand=brand_id)]
    lot_days = [row[0] for row in await snap.fetch(_LOT_DAYS, brand=brand_id)]
    coupon_days = [row[0] for row in await snap.fetch(_COUPON_DAYS, brand=brand_id)]
    return _BrandFacts(
        brand_id,
        {
            "outcomes": _outcomes(versions),
            "locked_outcomes": _locked_outcomes(versions),
            "purchase_channel": _purchase_channel(versions),
            "coupon_outcomes": _coupon_outcomes(versions),
            "caps": _caps(versions),
            "draw_prizes": _draw_prizes(versions),
            "draw_roles": _draw_roles(versions),
            "draw_locks": _draw_locks(versions),
            "raffle_prizes": raffle_prizes(await snap.fetch(RAFFLE_TABLES, brand=brand_id)),
            "task_periods": task_periods(await snap.fetch(TASK_PERIODS, brand=brand_id), zone),
            "days": _days(scan_days, zone),
            "lot_ends": [(day, _ends_at(day, zone)) for day in lot_days if day < NEVER],
            "coupon_days": [
                (day, _starts_at(day, zone), _ends_at(day, zone))
                for day in coupon_days
                if day < NEVER
            ],
        },
        snap.now.astimezone(zone).date(),
    )


def _outcomes(versions: list[Any]) -> list[tuple[Any, ...]]:
    """(version_id, beneficiary, asset, amount) of what scans pay at once, or a gate locks."""
    return [
        (version_id, outcome["beneficiary"], outcome["asset"], outcome["amount"])
        for version_id, _, event, outcomes, *_ in versions
        if event == "SCAN"
        for outcome in json.loads(outcomes)
        if "asset" in outcome and _lock_kind(outcome) in (None, "ITEM")
    ]


def _lock_kind(outcome: dict[str, Any]) -> str | None:
    kind: str | None = outcome.get("lock", {}).get("kind")
    return kind


def _locked_outcomes(versions: list[Any]) -> list[tuple[Any, ...]]:
    """(version_id, beneficiary, asset, kind of lock, amount) of what scans lock."""
    return [
        (
            version_id,
            outcome["beneficiary"],
            outcome["asset"],
            outcome["lock"]["kind"],
            outcome["amount"],
        )
        for version_id, _, event, outcomes, *_ in versions
        if event == "SCAN"
        for outcome in json.loads(outcomes)
        if _lock_kind(outcome) not in (None, "ITEM") and "asset" in outcome
    ]


def _purchase_channel(versions: list[Any]) -> list[tuple[Any, ...]]:
    """(version_id, role) of whom purchases pay beside their buyers."""
    paid = {
        (version_id, outcome["beneficiary"])
        for version_id, _, event, outcomes, *_ in versions
        if event == "PURCHASE"
        for outcome in json.loads(outcomes)
        if outcome["beneficiary"] != "CONSUMER"
    }
    of_purchases = {version[0] for version in versions if version[2] == "PURCHASE"}
    paid |= {each for each in _draw_roles(versions) if each[0] in of_purchases}
    return sorted((version_id, role) for version_id, role in paid if role != "CONSUMER")


def _coupon_outcomes(versions: list[Any]) -> list[tuple[Any, ...]]:
    """(version_id, beneficiary, template_id) of the coupons that events give."""
    return [
        (version_id, outcome["beneficiary"], UUID(hex=outcome["coupon_template_id"]))
        for version_id, _, _, outcomes, *_ in versions
        for outcome in json.loads(outcomes)
        if "coupon_template_id" in outcome
    ]


def _caps(versions: list[Any]) -> list[tuple[Any, ...]]:
    """(campaign_id, subject, window, largest limit, in every version, of scans alone).

    A counter runs while its cap is published: only one that every version has counts all there is.
    """
    limits: dict[tuple[UUID, str, str], list[int]] = {}
    events: dict[UUID, list[str]] = {}
    for _, campaign_id, event, _, caps, _ in versions:
        events.setdefault(campaign_id, []).append(event)
        for cap in json.loads(caps):
            key = (campaign_id, cap["subject"], cap["window"])
            limits.setdefault(key, []).append(cap["times_max"])
    return [
        (*key, max(found), len(found) == len(events[key[0]]), set(events[key[0]]) == {"SCAN"})
        for key, found in limits.items()
    ]


def _draw_prizes(versions: list[Any]) -> list[tuple[Any, ...]]:
    """(version_id, prize, stock, quota of a day) of what scans may draw."""
    return [
        (version[0], prize["code"], prize["stock"], prize["quota_per_day"])
        for version in versions
        if version[5] is not None
        for prize in json.loads(version[5])["prizes"]
    ]


def _draw_roles(versions: list[Any]) -> list[tuple[Any, ...]]:
    """(version_id, role) of who draws; consumers did before roles were told."""
    return [
        (version[0], role)
        for version in versions
        if version[5] is not None
        for role in json.loads(version[5]).get("roles", ["CONSUMER"])
    ]


def _draw_locks(versions: list[Any]) -> list[tuple[Any, ...]]:
    """(version_id, kind of lock) of what draws win and what waits."""
    draws = [(version[0], json.loads(version[5])) for version in versions if version[5]]
    return [(version_id, draw["lock"]["kind"]) for version_id, draw in draws if "lock" in draw]


def _starts_at(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _ends_at(day: date, zone: ZoneInfo) -> datetime:
    """The first instant after a local day."""
    return _starts_at(day + timedelta(days=1), zone)


def _days(database_days: list[date], zone: ZoneInfo) -> list[tuple[Any, ...]]:
    """Which local days a day of the database's calendar may touch, and when they start and end.

    The database tells days in whatever zone its session has, so its neighbours are candidates too;
    the instants decide.
    """
    rows = []
    for day in database_days:
        for offset in range(-2, 3):
            local = day + timedelta(days=offset)
            starts_at = _starts_at(local, zone)
            rows.append((day, local, local.isoformat(), starts_at, _ends_at(local, zone)))
    return rows
