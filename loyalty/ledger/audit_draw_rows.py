"""What draws are computed again from: the rows, as the verifier reads them."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty.db import Snapshot, Statement

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
DRAWS_OF_DAY = Statement(
    """
    SELECT d.id, d.campaign_version_id, d.member_id, d.claim, d.nonce, d.seed_hash, d.stage,
        CAST(d.inputs AS text), d.base_ppm, d.odds_ppm, d.u, d.member_draw_no, d.is_guaranteed,
        d.pointed_prize, d.given_prize, CAST(d.exhausted AS text), d.ordinal, d.day_ordinal,
        d.asset, d.amount, d.coupon_template_id, d.occurred_at, e.item_no, e.member_id
    FROM draws d LEFT JOIN scan_events e ON e.brand_id = d.brand_id AND e.id = d.scan_id
    WHERE d.brand_id = :brand AND d.campaign_id = :campaign AND d.drawn_on = :on ORDER BY d.id
    """,
    params="brand uuid, campaign uuid, on date",
    returns="id uuid, version_id uuid, member_id uuid, claim text, nonce text, seed_hash text,"
    " stage bigint, inputs text, base_ppm bigint, odds_ppm bigint, u text, member_draw_no bigint,"
    " is_guaranteed boolean, pointed text, given text, exhausted text, ordinal bigint,"
    " day_ordinal bigint, asset text, amount bigint, template_id uuid, occurred_at timestamptz,"
    " item_no bigint, scanner_id uuid",
)
# Over all days: a piece given twice, and how far each prize's ordinals go.
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
    """,
    params="brand uuid",
    returns="place text, prize text, ordinal bigint, times bigint",
)
_LAST = Statement(
    """
    SELECT campaign_id, given_prize, drawn_on, MAX(ordinal), MAX(day_ordinal) FROM draws
    WHERE brand_id = :brand AND given_prize IS NOT NULL
    GROUP BY campaign_id, given_prize, drawn_on
    """,
    params="brand uuid",
    returns="campaign_id uuid, prize text, on date, ordinal bigint, day_ordinal bigint",
)
_TEMPLATES = Statement(
    "SELECT id, code FROM coupon_templates WHERE brand_id = :brand",
    params="brand uuid",
    returns="id uuid, code text",
)
_BUDGETS = Statement(
    "SELECT campaign_id, asset FROM campaign_budgets WHERE brand_id = :brand",
    params="brand uuid",
    returns="campaign_id uuid, asset text",
)
_OF_STAGES = Statement(
    """
    SELECT campaign_id, stage, asset, CAST(SUM(amount) AS bigint) FROM draws
    WHERE brand_id = :brand AND amount IS NOT NULL GROUP BY campaign_id, stage, asset
    """,
    params="brand uuid",
    returns="campaign_id uuid, stage bigint, asset text, amount bigint",
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
    """What all days of a brand share. ``last`` and ``last_of_day``: how far a prize's ordinals go,
    by (campaign, prize) and by (campaign, prize, day). ``of_stages``: what was given in all, by
    (campaign, stage, asset)."""

    id: UUID
    slug: str
    zone: ZoneInfo
    versions: dict[UUID, Version]
    last: dict[tuple[UUID, str], int]
    last_of_day: dict[tuple[UUID, str, date], int]
    templates: dict[UUID, str]
    budgets: set[tuple[UUID, str]]
    of_stages: dict[tuple[UUID, int, str], int]


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
    """A row of ``DRAWS_OF_DAY``."""

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
    item_no: int | None
    scanner_id: UUID | None


async def read_brand(snap: Snapshot, id: UUID, slug: str, zone: ZoneInfo) -> Brand:
    last: dict[tuple[UUID, str], int] = {}
    last_of_day: dict[tuple[UUID, str, date], int] = {}
    for campaign_id, prize, on, ordinal, day_ordinal in await snap.fetch(_LAST, brand=id):
        last[campaign_id, prize] = max(last.get((campaign_id, prize), 0), ordinal or 0)
        last_of_day[campaign_id, prize, on] = day_ordinal or 0
    return Brand(
        id,
        slug,
        zone,
        {
            row[0]: Version(row[1], row[2], row[3], json.loads(row[4]))
            for row in await snap.fetch(_VERSIONS, brand=id)
        },
        last,
        last_of_day,
        {row[0]: row[1] for row in await snap.fetch(_TEMPLATES, brand=id)},
        {(row[0], row[1]) for row in await snap.fetch(_BUDGETS, brand=id)},
        {(row[0], row[1], row[2]): row[3] for row in await snap.fetch(_OF_STAGES, brand=id)},
    )
