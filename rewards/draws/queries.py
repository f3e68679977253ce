"""The SQL of seeds and draws."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlmodel import col, select

from loyalty.db import Snapshot, Statement
from loyalty.keyed import list_newest_of_each
from rewards.campaigns.models import Campaign
from rewards.draws.models import Draw, DrawSeed

# One that is revealed is good for nothing any more, whatever the clock says.
FIND_SEEDS = Statement(
    """
    SELECT s.brand_id, s.campaign_id, s.sealed, s.seed_hash
    FROM {days} {each:s draw_seeds ON s.brand_id = days.brand_id
        AND s.campaign_id = days.campaign_id AND s.drawn_on = days.drawn_on AND s.seed IS NULL}
    """,
    sets={"days": "brand_id uuid, campaign_id uuid, drawn_on date"},
    returns="brand_id uuid, campaign_id uuid, sealed text, seed_hash text",
)

FIND_SEED_DAYS = Statement(
    """
    SELECT s.brand_id, s.campaign_id, s.drawn_on
    FROM {days} {each:s draw_seeds ON s.brand_id = days.brand_id
        AND s.campaign_id = days.campaign_id AND s.drawn_on = days.drawn_on}
    """,
    sets={"days": "brand_id uuid, campaign_id uuid, drawn_on date"},
    returns="brand_id uuid, campaign_id uuid, drawn_on date",
)

INSERT_SEEDS = Statement(
    """
    INSERT INTO draw_seeds (brand_id, campaign_id, drawn_on, sealed, seed_hash, made_at)
    SELECT brand_id, campaign_id, drawn_on, sealed, seed_hash, made_at FROM {rows} WHERE true
    ON CONFLICT (brand_id, campaign_id, drawn_on) DO NOTHING RETURNING drawn_on
    """,
    sets={
        "rows": "brand_id uuid, campaign_id uuid, drawn_on date, sealed text, seed_hash text,"
        " made_at timestamptz"
    },
    returns="drawn_on date",
)

LIST_ENDED_SEEDS = Statement(
    """
    SELECT campaign_id, drawn_on, sealed FROM draw_seeds
    WHERE brand_id = :brand AND drawn_on < :today AND seed IS NULL
    ORDER BY drawn_on, campaign_id LIMIT :limit
    """,
    params="brand uuid, today date, limit bigint",
    returns="campaign_id uuid, drawn_on date, sealed text",
)

REVEAL_SEEDS = Statement(
    """
    UPDATE draw_seeds SET seed = revealed.seed, revealed_at = :now
    FROM {revealed} WHERE draw_seeds.brand_id = revealed.brand_id
        AND draw_seeds.campaign_id = revealed.campaign_id
        AND draw_seeds.drawn_on = revealed.drawn_on AND draw_seeds.seed IS NULL
    RETURNING draw_seeds.drawn_on
    """,
    sets={"revealed": "brand_id uuid, campaign_id uuid, drawn_on date, seed text"},
    params="now timestamptz",
    returns="drawn_on date",
)

_DRAW_COLUMNS = (
    "brand_id uuid, id uuid, campaign_id uuid, campaign_version_id uuid,"
    " cause_kind text, cause_id uuid, role text, member_id uuid, claim text, nonce text,"
    " drawn_on date, seed_hash text, stage bigint,"
    " inputs jsonb, base_ppm bigint, odds_ppm bigint, u text, member_draw_no bigint,"
    " is_guaranteed boolean, pointed_prize text, given_prize text, exhausted jsonb,"
    " ordinal bigint, day_ordinal bigint, asset text, amount bigint, coupon_template_id uuid,"
    " is_locked boolean, occurred_at timestamptz"
)
_DRAW_NAMES = ", ".join(column.split()[0] for column in _DRAW_COLUMNS.split(","))

INSERT_DRAWS = Statement(
    f"INSERT INTO draws ({_DRAW_NAMES}) SELECT {_DRAW_NAMES} FROM {{rows}} WHERE true",
    sets={"rows": _DRAW_COLUMNS},
)


async def list_seeds(
    snapshot: Snapshot, brand_id: UUID, campaign_code: str, first: date, last: date
) -> list[DrawSeed]:
    """Those of a campaign's days, both included, oldest first."""
    found = await snapshot.session.exec(
        select(DrawSeed)
        .join(
            Campaign,
            (col(Campaign.brand_id) == col(DrawSeed.brand_id))
            & (col(Campaign.id) == col(DrawSeed.campaign_id)),
        )
        .where(
            col(DrawSeed.brand_id) == brand_id,
            col(Campaign.code) == campaign_code,
            col(DrawSeed.drawn_on) >= first,
            col(DrawSeed.drawn_on) <= last,
        )
        .order_by(col(DrawSeed.drawn_on))
    )
    return list(found)


async def list_of_causes(
    snapshot: Snapshot, brand_id: UUID, cause_ids: Sequence[UUID]
) -> list[Draw]:
    """For loaders: of scans, purchases and events, oldest first."""
    found = await snapshot.session.exec(
        select(Draw)
        .where(col(Draw.brand_id) == brand_id, col(Draw.cause_id).in_(cause_ids))
        .order_by(col(Draw.id))
    )
    return list(found)


async def list_of_members(
    snapshot: Snapshot,
    brand_id: UUID,
    member_ids: Sequence[UUID],
    *,
    before: UUID | None,
    limit: int,
) -> list[Draw]:
    """The newest draws of each of these members."""
    return await list_newest_of_each(
        snapshot, Draw, brand_id, "member_id", member_ids, before=before, limit=limit
    )
