"""The guards of what partners issue; as ``guards.py``."""

from tests.races import code_races, issue_races, pool_races
from tests.races.guards import Edit, Guard
from tests.races.netting_guards import UNLOCKED

ALLIANCES_SQL = "rewards/alliances/queries.py"
CLEARING_SQL = "rewards/clearing/queries.py"
CODES_SQL = "rewards/code_lists/queries.py"
ISSUES_SQL = "rewards/issues/queries.py"
EACH_OTHER = "each other: the WHERE asks, the CHECK refuses"

ISSUE_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the guarded count of a quota, and its check",
        "a partner issues no more coupons than its quota",
        issue_races.a_quota_is_issued_to_its_last,
        (
            Edit(
                ISSUES_SQL,
                "WHERE issue_counters.used + excluded.used <= excluded.used_max",
                "WHERE true",
            ),
        ),
        ("ALTER TABLE issue_counters DROP CONSTRAINT ck_issue_counters_within_quota",),
        covered_by=EACH_OTHER,
        size=40,
    ),
    Guard(
        "the guarded reserve of funds",
        "a partner issues no more than it has paid in or has credit for, to the fen",
        issue_races.what_is_paid_in_is_issued_to_the_fen,
        (
            Edit(
                CLEARING_SQL,
                "AND owed_fen + reserved_fen + :amount_fen <= :limit_fen",
                "AND CAST(:limit_fen AS bigint) IS NOT NULL",
            ),
        ),
    ),
    Guard(
        "the stock of a template that a partner issues, and its check",
        "a partner issues no more coupons than the host has in stock",
        issue_races.a_templates_stock_is_issued_to_its_last,
        (
            Edit(
                ISSUES_SQL,
                "issued + :amount <= stock_max)\n    RETURNING id",
                "stock_max IS NOT NULL)\n    RETURNING id",
            ),
        ),
        ("ALTER TABLE coupon_templates DROP CONSTRAINT ck_coupon_templates_within_stock",),
        covered_by=EACH_OTHER,
        size=40,
    ),
    Guard(
        "the share in the agreement's lock of who issues under it",
        "nothing is issued once a pause has been answered",
        issue_races.nothing_is_issued_after_a_pause,
        (Edit(ALLIANCES_SQL, "        .with_for_update(read=True)\n", ""),),
        (
            "ALTER TABLE partner_issues"
            " DROP CONSTRAINT fk_partner_issues_brand_id_agreement_id_agreements",
        ),
        covered_by="the reference of an issue to its agreement, from when it is written",
    ),
    Guard(
        "the lock on the positions of who proposes an adjustment",
        "a side has no more adjustments open than it may",
        issue_races.proposed_adjustments_are_limited,
        (UNLOCKED,),
        size=10,
    ),
    Guard(
        "the guarded count of a pool, and its check",
        "no more coupons are taken out of a pool than are left in it",
        pool_races.a_pool_is_drained_to_its_last,
        (Edit(ISSUES_SQL, "AND stock_max + :amount >= issued\n", "\n"),),
        ("ALTER TABLE coupon_templates DROP CONSTRAINT ck_coupon_templates_within_stock",),
        covered_by=EACH_OTHER,
        size=20,
    ),
    Guard(
        "the lock on a code that is given, and the second look at it",
        "a third party's code is given to one coupon",
        code_races.each_coupon_has_a_code_of_its_own,
        (
            Edit(CODES_SQL, "LIMIT 1 {skip:o}", "LIMIT 1"),
            Edit(
                CODES_SQL,
                "given_at = :now\n    WHERE (brand_id, id) IN (SELECT brand_id, id FROM spare)"
                " AND coupon_id IS NULL",
                "given_at = :now\n    WHERE (brand_id, id) IN (SELECT brand_id, id FROM spare)",
            ),
        ),
        covered_by="each other: one takes another code, the other tries again",
        size=20,
    ),
)
