"""What draws are computed again from: the rows, as the verifier reads them."""

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.db import Snapshot, Statement
from loyalty.ledger.audit_draw_limits import Limits, read_limits

BRANDS = Statement(
    "SELECT id, slug, timezone FROM brands ORDER BY slug",
    returns="id uuid, slug text, timezone text",
)
_VERSIONS = Statement(
    """
    SELECT v.id, c.code, v.starts_at, v.ends_at, CAST(v.draw AS text)
    FROM campaign_versions v JOIN campaigns c ON c.brand_id = v.brand_id AND c.id = v.campaign_id
    WHERE v.brand_id = :brand AND v.draw IS NOT NULL
    """,
    params="brand uuid",
    returns="id uuid, code text, starts_at timestamptz, ends_at timestamptz, draw text",
)
SEEDS = Statement(
    """
    SELECT s.campaign_id, c.code, s.drawn_on, s.seed_hash, s.seed, s.made_at,
        s.revealed_at
    FROM draw_seeds s JOIN campaigns c ON c.brand_id = s.brand_id AND c.id = s.campaign_id
    WHERE s.brand_id = :brand AND s.seed IS NOT NULL AND s.drawn_on >= :first
        AND s.drawn_on <= :last
    ORDER BY s.drawn_on, c.code
    """,
    params="brand uuid, first date, last date",
    returns="campaign_id uuid, code text, drawn_on date, seed_hash text, seed text,"
    " made_at timestamptz, revealed_at timestamptz",
)
WAITING = Statement(
    """
    SELECT COUNT(*) FROM draws d LEFT JOIN draw_seeds s ON s.brand_id = d.brand_id
        AND s.campaign_id = d.campaign_id AND s.drawn_on = d.drawn_on
    WHERE d.brand_id = :brand AND s.seed IS NULL
    """,
    params="brand uuid",
    returns="n bigint",
)
# Whom the event paid in the draw's role: beside a scan's consumer the item's claims tell, beside a
# buyer the purchase's shares. Who was merged since is who it was merged into.
DRAWS_OF_DAY = Statement(
    """
    WITH drawn AS MATERIALIZED (
        SELECT d.id, e.item_no, COALESCE(e.occurred_at, p.occurred_at, v.occurred_at) AS at,
            COALESCE(v.kind, d.cause_kind) AS kind,
            CASE WHEN d.cause_kind = 'EVENT' THEN v.member_id
                WHEN d.role <> 'CONSUMER' THEN COALESCE(k.member_id, h.member_id)
                ELSE COALESCE(e.member_id, p.member_id) END AS paid_id
        FROM draws d
        LEFT JOIN scan_events e ON e.brand_id = d.brand_id AND e.id = d.cause_id
            AND d.cause_kind = 'SCAN'
        LEFT JOIN claims k ON k.brand_id = e.brand_id AND k.item_no = e.item_no
            AND k.purpose = 'REWARD' AND k.beneficiary_role = d.role
            AND k.settled_scan_id = e.id AND k.outcome = 'PAID'
        LEFT JOIN purchase_events p ON p.brand_id = d.brand_id AND p.id = d.cause_id
            AND d.cause_kind = 'PURCHASE'
        LEFT JOIN purchase_shares h ON h.brand_id = p.brand_id AND h.purchase_id = p.id
            AND h.role = d.role AND h.unpaid_reason IS NULL
        LEFT JOIN earning_events v ON v.brand_id = d.brand_id AND v.id = d.cause_id
            AND d.cause_kind = 'EVENT'
        WHERE d.brand_id = :brand AND d.campaign_id = :campaign AND d.drawn_on = :on
    )
    SELECT d.id, d.campaign_version_id, d.member_id, d.claim, d.nonce, d.seed_hash, d.stage,
        CAST(d.inputs AS text), d.base_ppm, d.odds_ppm, d.u, d.member_draw_no, d.is_guaranteed,
        d.pointed_prize, d.given_prize, CAST(d.exhausted AS text), d.ordinal, d.day_ordinal,
        d.asset, d.amount, d.coupon_template_id, d.occurred_at, d.cause_kind, d.cause_id, d.role,
        x.item_no, x.kind, x.at,
        COALESCE(a.merged_into_id, a.id) = COALESCE(b.merged_into_id, b.id)
    FROM draws d JOIN drawn x ON x.id = d.id
    LEFT JOIN members a ON a.brand_id = d.brand_id AND a.id = d.member_id
    LEFT JOIN members b ON b.brand_id = d.brand_id AND b.id = x.paid_id
    WHERE d.brand_id = :brand ORDER BY d.id
    """,
    params="brand uuid, campaign uuid, on date",
    returns="id uuid, version_id uuid, member_id uuid, claim text, nonce text, seed_hash text,"
    " stage bigint, inputs text, base_ppm bigint, odds_ppm bigint, u text, member_draw_no bigint,"
    " is_guaranteed boolean, pointed text, given text, exhausted text, ordinal bigint,"
    " day_ordinal bigint, asset text, amount bigint, template_id uuid, occurred_at timestamptz,"
    " cause_kind text, cause_id uuid, role text, item_no bigint, kind text, at timestamptz,"
    " is_theirs boolean",
)
_PRIVILEGES = Statement(
    "SELECT CAST(privileges AS text) FROM ladder_levels WHERE brand_id = :brand",
    params="brand uuid",
    returns="privileges text",
)
# Over all days: a piece, or a number of a member's draws, given twice.
TWICE = Statement(
    """
    SELECT CAST(d.campaign_id AS text), d.given_prize, d.ordinal, COUNT(*) FROM draws d
    WHERE d.brand_id = :brand AND d.given_prize IS NOT NULL
    GROUP BY d.campaign_id, d.given_prize, d.ordinal HAVING COUNT(*) > 1
    UNION ALL
    SELECT CAST(d.campaign_id AS text) || ' ' || CAST(d.drawn_on AS text), d.given_prize,
        d.day_ordinal, COUNT(*) FROM draws d
    WHERE d.brand_id = :brand AND d.given_prize IS NOT NULL
    GROUP BY d.campaign_id, d.drawn_on, d.given_prize, d.day_ordinal HAVING COUNT(*) > 1
    UNION ALL
    SELECT CAST(d.campaign_id AS text), 'the memberDrawNo of ' || CAST(d.member_id AS text),
        d.member_draw_no, COUNT(*) FROM draws d
    WHERE d.brand_id = :brand AND d.member_draw_no IS NOT NULL
    GROUP BY d.campaign_id, d.member_id, d.member_draw_no HAVING COUNT(*) > 1
    """,
    params="brand uuid",
    returns="place text, prize text, ordinal bigint, times bigint",
)
# When each version was published; and what of a campaign's events counts, by its versions' caps:
# what it paid on top of others is no event of its own.
_PUBLISHED = Statement(
    """
    SELECT id, campaign_id, published_at, CAST(caps AS text), bonus IS NULL
    FROM campaign_versions WHERE brand_id = :brand ORDER BY campaign_id, version
    """,
    params="brand uuid",
    returns="id uuid, campaign_id uuid, at timestamptz, caps text, is_first boolean",
)
# The paid events of whoever drew on a day by what was counted of it: when each was told, when it
# was, and whether it was taken back, if in part.
PAID_EVENTS = Statement(
    """
    WITH asked AS MATERIALIZED (
        SELECT DISTINCT d.member_id FROM draws d WHERE d.brand_id = :brand
            AND d.campaign_id = :campaign AND d.drawn_on = :on
            AND CAST(d.inputs AS text) LIKE '%"counters.%'
    ), versions AS MATERIALIZED (
        SELECT id FROM campaign_versions WHERE brand_id = :brand AND campaign_id = :campaign
    )
    SELECT e.member_id, e.campaign_version_id, e.occurred_at, e.occurred_at, r.id IS NOT NULL
    FROM scan_events e JOIN versions v ON v.id = e.campaign_version_id
    LEFT JOIN scan_reversals r ON r.brand_id = e.brand_id AND r.scan_id = e.id
    WHERE e.brand_id = :brand AND e.unpaid_reason IS NULL AND e.role = 'CONSUMER'
        AND e.member_id IN (SELECT member_id FROM asked)
    UNION ALL
    SELECT p.member_id, p.campaign_version_id, p.created_at, p.occurred_at,
        EXISTS (SELECT 1 FROM purchase_returns r
            WHERE r.brand_id = p.brand_id AND r.purchase_id = p.id)
    FROM purchase_events p JOIN versions v ON v.id = p.campaign_version_id
    WHERE p.brand_id = :brand AND p.member_id IN (SELECT member_id FROM asked)
    UNION ALL
    SELECT d.member_id, e.campaign_version_id, e.created_at, e.occurred_at, false
    FROM earning_events e JOIN versions v ON v.id = e.campaign_version_id
    JOIN draws d ON d.brand_id = e.brand_id AND d.cause_id = e.id AND d.cause_kind = 'EVENT'
    WHERE e.brand_id = :brand AND e.unpaid_reason IS NULL
        AND d.member_id IN (SELECT member_id FROM asked)
    """,
    params="brand uuid, campaign uuid, on date",
    returns="member_id uuid, version_id uuid, told_at timestamptz, at timestamptz,"
    " is_reversed boolean",
)
# When whoever drew on a day drew by a number, in whichever campaign: looked up by member.
NUMBERED = Statement(
    """
    SELECT n.member_id, n.campaign_id, n.occurred_at FROM draws n
    WHERE n.brand_id = :brand AND n.member_draw_no IS NOT NULL
        AND n.member_id IN (SELECT d.member_id FROM draws d WHERE d.brand_id = :brand
            AND d.campaign_id = :campaign AND d.drawn_on = :on AND d.member_draw_no IS NOT NULL)
    """,
    params="brand uuid, campaign uuid, on date",
    returns="member_id uuid, campaign_id uuid, at timestamptz",
)


@dataclass(frozen=True)
class Version:
    code: str
    starts_at: datetime | None
    ends_at: datetime | None
    draw: dict[str, Any]

    @property
    def prizes(self) -> dict[str, dict[str, Any]]:
        return {prize["code"]: prize for prize in self.draw["prizes"]}


@dataclass(frozen=True)
class Brand:
    """What all days of a brand share. ``published``: each campaign's versions by their times, of
    which the newest counts. ``counting``: of each version, by its id, the windows in which it
    counts a member's events; ``miscounted``: campaigns that paid on top of others, too.
    ``level_percents``: what levels ever added to odds."""

    id: UUID
    slug: str
    zone: ZoneInfo
    versions: dict[UUID, Version]
    limits: Limits
    published: dict[UUID, list[tuple[datetime, UUID]]]
    counting: dict[UUID, frozenset[str]]
    miscounted: frozenset[UUID]
    level_percents: frozenset[int]


@dataclass(frozen=True)
class Day:
    campaign_id: UUID
    code: str
    on: date
    seed_hash: str
    seed: bytes
    made_at: datetime
    revealed_at: datetime


@dataclass(frozen=True)
class Receipt:
    """A row of ``DRAWS_OF_DAY``: drawn at ``occurred_at``, of an event of ``at``."""

    id: UUID
    version_id: UUID
    member_id: UUID
    claim: str
    nonce: str | None
    seed_hash: str
    stage: int
    inputs: str
    base_ppm: int
    odds_ppm: int
    u: str
    member_draw_no: int | None
    is_guaranteed: bool
    pointed: str | None
    given: str | None
    exhausted: str
    ordinal: int | None
    day_ordinal: int | None
    asset: str | None
    amount: int | None
    template_id: UUID | None
    occurred_at: datetime
    cause_kind: str
    cause_id: UUID
    role: str
    item_no: int | None
    kind: str
    at: datetime | None
    is_theirs: bool | None

    @property
    def expected_claim(self) -> str:
        """What its event claims for its role."""
        if self.cause_kind == "SCAN":
            return f"{self.item_no}:REWARD:{self.role}"
        return f"{self.cause_kind}:{self.cause_id.hex}:{self.role}"

    @property
    def is_own(self) -> bool:
        """Whether the event's own member drew, of whom bonuses ask, and nobody beside."""
        return self.cause_kind == "EVENT" or self.role == "CONSUMER"

    @property
    def happened_at(self) -> datetime:
        """When its event was: before it was drawn for, if it was told late."""
        return self.at or self.occurred_at


async def read_brand(snap: Snapshot, id: UUID, slug: str, zone: ZoneInfo) -> Brand:
    versions = {
        row[0]: Version(row[1], row[2], row[3], json.loads(row[4]))
        for row in await snap.fetch(_VERSIONS, brand=id)
    }
    templates = {
        UUID(hex=prize["award"]["coupon_template_id"])
        for version in versions.values()
        for prize in version.draw["prizes"]
        if "coupon_template_id" in (prize["award"] or {})
    }
    published: dict[UUID, list[tuple[datetime, UUID]]] = defaultdict(list)
    counting, miscounted = {}, set()
    for version_id, campaign_id, at, caps, is_first in await snap.fetch(_PUBLISHED, brand=id):
        published[campaign_id].append((at, version_id))
        counted = (cap["window"] for cap in json.loads(caps) if cap["subject"] == "MEMBER")
        counting[version_id] = frozenset(counted)
        if not is_first:
            miscounted.add(campaign_id)
    limits = await read_limits(snap, id, templates)
    granted = [json.loads(row[0]) for row in await snap.fetch(_PRIVILEGES, brand=id)]
    percents = {
        each.get("percent", 0)
        for level in granted
        for each in level
        if each["kind"] == "BONUS_ODDS"
    }
    counts = (counting, frozenset(miscounted))
    return Brand(id, slug, zone, versions, limits, published, *counts, frozenset(percents))
