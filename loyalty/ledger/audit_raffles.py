"""What must hold of raffles, seen from the rows alone: invariants 3 and 8. That the scores are what
the seeds make of the entries is asked by ``audit_raffle_winners.py``."""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from loyalty.db import Statement
from loyalty.ledger.audit_probe import MERGED, Probe

_POOL_MAX = 2**62
_PRIZES = """
    prizes AS MATERIALIZED (
        SELECT raffle_id, pool_min, pool_max, prize_no, first_place, last_place, asset, amount,
            template_id
        FROM {raffle_prizes}
    )
"""

RAFFLE_TABLES = Statement(
    "SELECT id, CAST(prize_table AS text) FROM raffles WHERE brand_id = :brand",
    params="brand uuid",
    returns="id uuid, prize_table text",
)


def raffle_prizes(rows: Iterable[Any]) -> list[tuple[Any, ...]]:
    """(raffle_id, least and largest pool, number of the prize, first and last place that it goes
    to, asset, amount, coupon template or None) of each prize of each step."""
    found = []
    for raffle_id, stored in rows:
        table = json.loads(stored)
        ends = [step["pool_min"] - 1 for step in table[1:]] + [_POOL_MAX]
        for step, pool_max in zip(table, ends, strict=True):
            place = 1
            for no, prize in enumerate(step["prizes"]):
                last = place + prize["winners"] - 1
                pool = (step["pool_min"], pool_max)
                template = prize.get("coupon_template_id")
                coupon = None if template is None else UUID(hex=template)
                given = (prize["asset"], prize["amount"], coupon)
                found.append((raffle_id, *pool, no, place, last, *given))
                place = last + 1
    return found


RAFFLES = (
    Probe(
        8,
        "a raffle's winners are the first of its entrants, one entry of each",
        "抽奖的中奖者按序为各参与者的首个参与",
        "raffles WHERE status = 'DRAWN'",
        f"""
        WITH {_PRIZES}, firsts AS (
            SELECT raffle_id, id, ROW_NUMBER() OVER (PARTITION BY raffle_id ORDER BY score, id)
                AS place
            FROM (
                SELECT raffle_id, id, score, ROW_NUMBER() OVER
                    (PARTITION BY raffle_id, entrant_id ORDER BY score, id) AS turn
                FROM raffle_entries WHERE brand_id = :brand
            ) AS entries WHERE turn = 1
        ), due AS (
            SELECT p.raffle_id, MAX(p.last_place) AS places FROM raffles r
            JOIN prizes p ON p.raffle_id = r.id
            WHERE r.brand_id = :brand AND r.status = 'DRAWN'
                AND r.entrants BETWEEN p.pool_min AND p.pool_max
            GROUP BY p.raffle_id
        )
        SELECT CAST(entry_id AS text) AS id, 'place ' || MAX(place) || CASE
            WHEN SUM(won) > 1 THEN ' wins more than once'
            WHEN SUM(won) = 1 THEN ' is no winner of this raffle, or in another order'
            ELSE ' should have won' END AS problem
        FROM (
            SELECT raffle_id, entry_id, place, 1 AS won, 0 AS wins FROM raffle_winners
            WHERE brand_id = :brand
            UNION ALL
            SELECT f.raffle_id, f.id, f.place, 0, 1 FROM firsts f
            JOIN due ON due.raffle_id = f.raffle_id WHERE f.place <= due.places
        ) AS places
        GROUP BY raffle_id, entry_id, place HAVING SUM(won) <> SUM(wins)
        """,
    ),
    Probe(
        8,
        "a raffle's winner gets what its prize table says",
        "抽奖奖品与奖品表一致",
        "raffle_winners",
        f"""
        WITH {_PRIZES}
        SELECT CAST(w.id AS text) AS id, 'place ' || w.place || ' of ' || COALESCE(r.entrants, 0)
            || ' entrants: ' || w.amount || ' ' || w.asset || CASE
            WHEN w.coupon_template_id IS NULL THEN '' ELSE ', or a coupon' END AS problem
        FROM raffle_winners w JOIN raffles r ON r.brand_id = w.brand_id AND r.id = w.raffle_id
        WHERE w.brand_id = :brand AND NOT EXISTS (
            SELECT 1 FROM prizes p
            WHERE p.raffle_id = w.raffle_id AND r.entrants BETWEEN p.pool_min AND p.pool_max
                AND p.prize_no = w.prize_no AND w.place BETWEEN p.first_place AND p.last_place
                AND p.asset = w.asset AND p.amount = w.amount
                AND (p.template_id = w.coupon_template_id
                    OR p.template_id IS NULL AND w.coupon_template_id IS NULL))
        """,
    ),
    Probe(
        3,
        "a raffle's winner is paid once what it won",
        "抽奖奖品恰发放一次",
        "raffle_winners",
        """
        SELECT CAST(winner_id AS text) AS id, SUM(gave) || ' of ' || asset || ' paid, '
            || SUM(says) || ' said to be' AS problem
        FROM (
            SELECT id AS winner_id, asset, amount AS says, 0 AS gave FROM raffle_winners
            WHERE brand_id = :brand AND paid_at IS NOT NULL
                AND (coupon_template_id IS NULL OR no_coupon IS NOT NULL)
            UNION ALL
            SELECT id, 'coupon ' || CAST(coupon_template_id AS text), 1, 0 FROM raffle_winners
            WHERE brand_id = :brand AND paid_at IS NOT NULL AND coupon_template_id IS NOT NULL
                AND no_coupon IS NULL
            UNION ALL
            SELECT cause_id, 'coupon ' || CAST(template_id AS text), 0, 1 FROM coupons
            WHERE brand_id = :brand AND cause_kind = 'RAFFLE'
            UNION ALL
            SELECT cause_id, asset, 0, amount FROM transfers WHERE brand_id = :brand
                AND cause_kind = 'RAFFLE_PRIZE' AND kind = 'EARN' AND phase = 'POSTED'
        ) AS entries
        GROUP BY winner_id, asset HAVING SUM(says) <> SUM(gave)
        UNION ALL
        SELECT CAST(r.id AS text), COUNT(*) || ' left, and it says that it is settled'
        FROM raffles r JOIN raffle_winners w ON w.brand_id = r.brand_id AND w.raffle_id = r.id
        WHERE r.brand_id = :brand AND r.settled_at IS NOT NULL AND w.paid_at IS NULL
        GROUP BY r.id
        """,
    ),
    Probe(
        7,
        "a raffle's coupon is its winner's, and was issued when it was paid",
        "抽奖所得券归中奖者且与发放同时",
        "coupons WHERE cause_kind = 'RAFFLE'",
        f"""
        WITH {MERGED}
        SELECT CAST(c.id AS text) AS id, CASE WHEN c.issued_at = w.paid_at
            THEN 'it is another member''s' ELSE 'it was issued at another time' END AS problem
        FROM coupons c
        JOIN raffle_winners w ON w.brand_id = c.brand_id AND w.id = c.cause_id
        LEFT JOIN merged m ON m.id = c.member_id
        LEFT JOIN merged n ON n.id = w.member_id
        WHERE c.brand_id = :brand AND c.cause_kind = 'RAFFLE'
            AND (w.paid_at IS NULL OR c.issued_at <> w.paid_at
                OR COALESCE(m.into_id, c.member_id) <> COALESCE(n.into_id, w.member_id))
        """,
    ),
    Probe(
        3,
        "an entry cost what its raffle says, and is given back with it alone",
        "参与抽奖的扣减与退还相符",
        "raffle_entries",
        """
        SELECT CAST(entry_id AS text) AS id, SUM(spent) || ' spent of ' || SUM(cost)
            || ', given back ' || SUM(back) || ' of ' || SUM(due_back) AS problem
        FROM (
            SELECT e.id AS entry_id, COALESCE(r.cost_asset, '') AS asset,
                COALESCE(r.cost_amount, 0) AS cost, 0 AS spent,
                CASE WHEN e.returned_at IS NULL THEN 0 ELSE COALESCE(r.cost_amount, 0) END
                    AS due_back, 0 AS back
            FROM raffle_entries e
            JOIN raffles r ON r.brand_id = e.brand_id AND r.id = e.raffle_id
            WHERE e.brand_id = :brand
            UNION ALL
            SELECT cause_id, asset, 0, CASE WHEN kind = 'SPEND' THEN amount ELSE 0 END, 0,
                CASE WHEN kind = 'REVERSE' THEN amount ELSE 0 END
            FROM transfers WHERE brand_id = :brand AND cause_kind = 'RAFFLE_ENTRY'
                AND phase = 'POSTED' AND kind IN ('SPEND', 'REVERSE')
        ) AS entries
        GROUP BY entry_id, asset HAVING SUM(cost) <> SUM(spent) OR SUM(due_back) <> SUM(back)
        UNION ALL
        SELECT CAST(e.id AS text), CASE WHEN r.status = 'CANCELLED'
            THEN 'not given back, and its raffle says that it is settled'
            ELSE 'given back, and its raffle goes on' END
        FROM raffle_entries e JOIN raffles r ON r.brand_id = e.brand_id AND r.id = e.raffle_id
        WHERE e.brand_id = :brand AND CASE WHEN r.status = 'CANCELLED'
            THEN r.settled_at IS NOT NULL AND e.returned_at IS NULL
            ELSE e.returned_at IS NOT NULL END
        """,
    ),
    Probe(
        8,
        "a raffle's entries are within its days and its members' limit",
        "参与抽奖在期限与次数之内",
        "raffle_entries",
        """
        SELECT CAST(e.id AS text) AS id, CASE WHEN e.number > r.entries_max
                THEN 'number ' || e.number || ' of at most ' || r.entries_max
            ELSE 'entered outside the raffle''s days' END AS problem
        FROM raffle_entries e JOIN raffles r ON r.brand_id = e.brand_id AND r.id = e.raffle_id
        WHERE e.brand_id = :brand AND (e.number > r.entries_max OR e.created_at < r.opens_at
            OR e.created_at >= r.closes_at)
        UNION ALL
        SELECT CAST(member_id AS text), COUNT(*) || ' entries, the last is number ' || MAX(number)
        FROM raffle_entries WHERE brand_id = :brand
        GROUP BY raffle_id, member_id HAVING COUNT(*) <> MAX(number)
        """,
    ),
    Probe(
        8,
        "a raffle that is closed counted its entries",
        "抽奖截止时的参与数相符",
        "raffles",
        """
        SELECT CAST(r.id AS text) AS id, 'it counted ' || COALESCE(r.entries, -1) || ' of '
            || COALESCE(r.entrants, -1) || ', there are ' || COALESCE(MAX(e.entries), 0) || ' of '
            || COALESCE(MAX(e.entrants), 0) AS problem
        FROM raffles r LEFT JOIN (
            SELECT raffle_id, COUNT(*) AS entries, COUNT(DISTINCT entrant_id) AS entrants
            FROM raffle_entries WHERE brand_id = :brand GROUP BY raffle_id
        ) AS e ON e.raffle_id = r.id
        WHERE r.brand_id = :brand AND (r.status IN ('CLOSED', 'DRAWN') OR r.entries IS NOT NULL)
        GROUP BY r.id, r.entries, r.entrants
        HAVING COALESCE(r.entries, -1) <> COALESCE(MAX(e.entries), 0)
            OR COALESCE(r.entrants, -1) <> COALESCE(MAX(e.entrants), 0)
        """,
    ),
)
