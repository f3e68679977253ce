"""Years of scans, inserted by set: what a hot path must not slow down under."""

from benchmarks.postgres import Postgres
from benchmarks.stage import CODES, Stage
from loyalty.codes.rules import item_no

CLAIMS_PER_ITEM = 2
ITEMS_PER_INSERT = 500_000


def store_claims(postgres: Postgres, database: str, stage: Stage, claims: int) -> None:
    """Store that many claims of the last codes of the batch, with their scans, item codes and
    idempotency records. All are of consumers and guides who exist."""
    items = claims // CLAIMS_PER_ITEM
    first = item_no(stage.inner.series_no, CODES - items)
    for start in range(0, items, ITEMS_PER_INSERT):
        count = min(ITEMS_PER_INSERT, items - start)
        postgres.execute(*_statements(stage, first + start, count), database=database)
    postgres.execute("VACUUM ANALYZE", "CHECKPOINT", database=database)


def _statements(stage: Stage, first: int, count: int) -> list[str]:
    brand, batch, product = stage.brand_id, stage.inner.id, stage.inner.product_id
    return [
        f"""
        CREATE TEMPORARY TABLE past AS
        SELECT {first} + n AS item_no, uuidv7() AS scan_id, gen_random_uuid() AS key,
            who.ids[1 + n % cardinality(who.ids)] AS member_id,
            who.identities[1 + n % cardinality(who.ids)] AS identity_id,
            who.guides[1 + n % cardinality(who.ids)] AS guide_id,
            v.campaign_id, v.id AS version_id, now() - interval '1 day' AS at
        FROM generate_series(0, {count - 1}) AS n,
            (SELECT array_agg(id ORDER BY id) AS ids, array_agg(identity_id ORDER BY id)
                AS identities, array_agg(invited_by_id ORDER BY id) AS guides
                FROM members WHERE role = 'CONSUMER') AS who,
            (SELECT * FROM campaign_versions WHERE event = 'SCAN' ORDER BY version DESC LIMIT 1)
                AS v
        """,
        f"""
        INSERT INTO claims (brand_id, item_no, purpose, beneficiary_role, scan_id, member_id,
            outcome, campaign_id, settled_scan_id, created_at)
        SELECT '{brand}', item_no, 'REWARD', role, scan_id,
            CASE role WHEN 'GUIDE' THEN guide_id ELSE member_id END,
            'PAID', campaign_id, scan_id, at
        FROM past, unnest(ARRAY['CONSUMER', 'GUIDE']) AS role
        """,
        f"""
        INSERT INTO item_codes (brand_id, item_no, kind, batch_id, scan_count, first_scan_id,
            first_scanned_at, last_scan_id, last_scanned_at)
        SELECT '{brand}', item_no, 'INNER', '{batch}', 1, scan_id, at, scan_id, at FROM past
        """,
        f"""
        INSERT INTO scan_events (brand_id, id, item_no, code_kind, batch_id, product_id,
            identity_id, member_id, role, verdict, guide_member_id, campaign_version_id,
            occurred_at, created_at)
        SELECT '{brand}', scan_id, item_no, 'INNER', '{batch}', '{product}', identity_id,
            member_id, 'CONSUMER', 'FIRST', guide_id, version_id, at, at FROM past
        """,
        f"""
        INSERT INTO idempotency_records (brand_id, actor_id, operation, key, body_hash, reply,
            created_at)
        SELECT '{brand}', identity_id, 'scanCode', key, md5(key::text), sample.reply, at
        FROM past, (SELECT reply FROM idempotency_records LIMIT 1) AS sample
        """,
        "DROP TABLE past",
    ]
