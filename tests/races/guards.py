"""The guards that keep the promises under any load, each with the race that goes red without it.

An edit's old text must be found exactly once in the source, so that this list cannot rot. Where
one guard covers for another, both are taken away, and ``covered_by`` says which.
"""

from dataclasses import dataclass
from typing import Literal

from tests.races import (
    coupon_races,
    ledger_races,
    redemption_races,
    scan_races,
    session_races,
    settlement_races,
)
from tests.races.arena import Race
from tests.races.fenced import paused_worker_counts_nothing

Kind = Literal["sqlite", "postgresql"]

SCANS = "rewards/scans/service.py"
SCANS_SQL = "rewards/scans/queries.py"
SCANS_WRITTEN = "rewards/scans/writing.py"
CAMPAIGNS_SQL = "rewards/campaigns/queries.py"
LEDGER = "loyalty/ledger/service.py"
LEDGER_SQL = "loyalty/ledger/queries.py"
COUPONS_SQL = "rewards/coupons/queries.py"
REDEMPTIONS_SQL = "rewards/redemptions/queries.py"
ACCESS_SQL = "loyalty/access/queries.py"
OUTBOX = "loyalty/outbox.py"
PERIODIC = "loyalty/periodic.py"


@dataclass(frozen=True)
class Edit:
    """``old`` becomes ``new`` in one source file."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Guard:
    """What is taken away: ``edits`` of the source and ``statements`` on the test's database."""

    name: str
    keeps: str
    race: Race
    edits: tuple[Edit, ...]
    statements: tuple[str, ...] = ()
    covered_by: str = ""
    size: int = 60
    kind: Kind = "postgresql"


FIRST_SCAN = Edit(
    SCANS_SQL, "WHERE item_codes.first_scan_id = excluded.first_scan_id", "WHERE true"
)
ACCOUNT_LOCK = Edit(LEDGER_SQL, "{locked:a accounts", "{each:a accounts")
OVERDRAFT = Edit(LEDGER_SQL, "AND (accounts.overdraft_allowed OR", "AND (true OR")
LOTS = Edit(LEDGER_SQL, "AND lots.remaining + taken.remaining >= 0", "AND true")
FENCE = Edit(
    OUTBOX,
    "outbox_events.id = done.id\n        AND outbox_events.lease_token = :token",
    "outbox_events.id = done.id\n        AND CAST(:token AS text) IS NOT NULL",
)
BUDGET_GUARD = Edit(
    CAMPAIGNS_SQL, "            <= campaign_budgets.allowed\n", "            IS NOT NULL\n"
)
CAP_GUARD = Edit(
    CAMPAIGNS_SQL, "WHERE cap_counters.used + excluded.used <= excluded.times_max", "WHERE true"
)
STOCK_GUARD = Edit(
    COUPONS_SQL, "<= coupon_templates.stock_max)\n    RETURNING", "IS NOT NULL)\n    RETURNING"
)
STOCK_CHECK = "ALTER TABLE coupon_templates DROP CONSTRAINT ck_coupon_templates_within_stock"
BUDGET_CHECK = "ALTER TABLE campaign_budgets DROP CONSTRAINT ck_campaign_budgets_within_allowed"
CAP_CHECK = "ALTER TABLE cap_counters DROP CONSTRAINT ck_cap_counters_within_times_max"
ONE_END = "DROP INDEX uq_transfers_brand_id_pending_id"
NOTHING_NEGATIVE = "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_counters_not_negative"
RECORDS_KEY = "ALTER TABLE idempotency_records DROP CONSTRAINT pk_idempotency_records"

GUARDS = (
    Guard(
        "the primary key of claims",
        "an item's reward is claimed once",
        scan_races.one_code_pays_once,
        (FIRST_SCAN,),
        ("ALTER TABLE claims DROP CONSTRAINT pk_claims",),
        covered_by="the first scan of a code, also counted once",
    ),
    Guard(
        "the count of inserted claims",
        "whoever loses a claim pays nothing for it",
        scan_races.one_code_pays_once,
        (
            FIRST_SCAN,
            Edit(
                SCANS_WRITTEN,
                "queries.INSERT_CLAIMS, expected=len(new), rows=new",
                "queries.INSERT_CLAIMS, rows=new",
            ),
        ),
        covered_by="the first scan of a code, also counted once",
    ),
    Guard(
        "the first scan of a code",
        "one scan is told that it is the first",
        scan_races.first_scan_is_told_once,
        (FIRST_SCAN,),
    ),
    Guard(
        "the budget's guarded update and its check",
        "a budget is never overrun",
        scan_races.budget_is_paid_to_its_last_unit,
        (BUDGET_GUARD,),
        (BUDGET_CHECK,),
        covered_by="each other: the WHERE asks, the CHECK refuses",
    ),
    Guard(
        "the caps' guarded count and its check",
        "a cap is never passed",
        scan_races.device_cap_is_kept,
        (CAP_GUARD,),
        (CAP_CHECK,),
        covered_by="each other; and for members, guides and stores by the lock on their accounts",
    ),
    Guard(
        "the same two, of bonus campaigns",
        "bonuses are paid up to limits of their own",
        scan_races.bonuses_keep_limits_of_their_own,
        (BUDGET_GUARD, CAP_GUARD),
        (BUDGET_CHECK, CAP_CHECK),
        covered_by="each other: the UPDATE asks, the CHECK refuses",
    ),
    Guard(
        "the lock on members' accounts",
        "what is read of a member stays true until it is written",
        ledger_races.crossing_moves_keep_the_books,
        (ACCOUNT_LOCK,),
        size=120,
    ),
    Guard(
        "the overdraft guard and the lots guard",
        "nobody spends what is not there",
        ledger_races.crossing_moves_keep_the_books,
        (ACCOUNT_LOCK, OVERDRAFT, LOTS),
        (
            "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_not_overdrawn",
            "ALTER TABLE lots DROP CONSTRAINT ck_lots_remaining_within_granted",
        ),
        covered_by="the lock on members' accounts, and by each other",
        size=120,
    ),
    Guard(
        "one account of an owner and asset",
        "a member's first credits meet in one account",
        scan_races.guides_are_paid_for_each_scan,
        (),
        ("ALTER TABLE accounts DROP CONSTRAINT uq_accounts_brand_id_owner_id_asset_kind",),
    ),
    Guard(
        "one member of an identity and role",
        "a first act enrols once",
        scan_races.first_act_makes_one_member,
        (Edit(SCANS, "    ) != len(accepted):\n", "    ) is None:\n"),),
        ("ALTER TABLE members DROP CONSTRAINT uq_members_brand_id_identity_id_role",),
        covered_by="the invitation, accepted once",
    ),
    Guard(
        "the key of a scan's reply",
        "one idempotency key, one scan",
        scan_races.one_key_is_recorded_once,
        (),
        (RECORDS_KEY,),
        covered_by="the claim, where the scan pays",
    ),
    Guard(
        "the key of a command's reply",
        "one idempotency key, one move",
        ledger_races.one_key_moves_once,
        (),
        (RECORDS_KEY,),
    ),
    Guard(
        "the coupon's guarded hold and its one live redemption",
        "a coupon is held by one till",
        redemption_races.one_coupon_is_held_once,
        (
            Edit(
                COUPONS_SQL,
                "AND (status = 'ISSUED' OR (status = 'HELD' AND held_until <= :now))",
                "AND CAST(:now AS text) IS NOT NULL",
            ),
        ),
        ("DROP INDEX uq_redemptions_live",),
        covered_by="each other: the UPDATE asks, the unique index refuses",
    ),
    Guard(
        "the redemption's guarded capture",
        "a coupon is used once, and its store credited once",
        redemption_races.one_coupon_is_captured_once,
        (
            Edit(
                REDEMPTIONS_SQL,
                "THEN :transfer_id END\n"
                "    WHERE brand_id = :brand_id AND id = :id AND place_id = :place_id\n"
                "        AND status = 'HELD' AND held_until > :now\n",
                "THEN :transfer_id END\n"
                "    WHERE brand_id = :brand_id AND id = :id AND place_id = :place_id\n",
            ),
            Edit(
                COUPONS_SQL,
                "AND status = 'HELD' AND redemption_id = :redemption_id AND held_until > :now",
                "AND redemption_id = :redemption_id",
            ),
        ),
        (
            "ALTER TABLE redemption_events"
            " DROP CONSTRAINT uq_redemption_events_brand_id_redemption_id_step",
        ),
        covered_by="the coupon's guarded redeem, and each step once",
    ),
    Guard(
        "the lock on redemptions",
        "a rebate is voided or posted back as it stands, whoever settles it meanwhile",
        redemption_races.captures_are_reversed_once,
        (Edit(REDEMPTIONS_SQL, "{{locked:r redemptions", "{{each:r redemptions"),),
    ),
    Guard(
        "the fence of an outbox lease",
        "a worker that was paused past its lease writes nothing",
        paused_worker_counts_nothing,
        (FENCE,),
    ),
    Guard(
        "the settled mark of a redemption, and the one end of a pending transfer",
        "a rebate is posted once",
        settlement_races.paused_worker_settles_nothing,
        (
            FENCE,
            Edit("workers/settlement.py", "            and redemption.settled_at is None\n", ""),
            Edit(
                REDEMPTIONS_SQL,
                "redemptions.status = 'CAPTURED' AND redemptions.settled_at IS NULL",
                "redemptions.status = 'CAPTURED'",
            ),
        ),
        (ONE_END, NOTHING_NEGATIVE),
        covered_by="each other, and the fence of an outbox lease",
        size=10,
    ),
    Guard(
        "the status of a payout, and the one end of a pending transfer",
        "a payout ends once, however often its provider says so",
        settlement_races.one_payout_is_made_and_ends_once,
        (
            Edit(
                "rewards/payouts/queries.py",
                "        AND payouts.status IN ('CREATED', 'SENT', 'PROCESSING')\n"
                "        AND (payouts.status",
                "        AND (payouts.status",
            ),
        ),
        (ONE_END, NOTHING_NEGATIVE),
        covered_by="each other: who finds it ended moves nothing, and nothing else is written",
    ),
    Guard(
        "one live payout of a store",
        "what a store has is paid to it once",
        settlement_races.one_payout_is_made_and_ends_once,
        (ACCOUNT_LOCK,),
        ("DROP INDEX uq_payouts_live",),
        covered_by="the lock on the store's account",
    ),
    Guard(
        "the lease of a periodic job",
        "of all workers one runs it",
        settlement_races.one_worker_has_a_periodic_job,
        (
            Edit(
                PERIODIC,
                "            AND (p.leased_until IS NULL OR p.leased_until <= :now)\n",
                "",
            ),
        ),
    ),
    Guard(
        "the fence of a periodic job",
        "a worker that was paused past its lease does not go on with it",
        settlement_races.one_worker_has_a_periodic_job,
        (
            Edit(
                PERIODIC,
                "leased_until = :until WHERE name = :name AND lease_token = :token",
                "leased_until = :until WHERE name = :name AND CAST(:token AS text) IS NOT NULL",
            ),
        ),
    ),
    Guard(
        "the stock of a coupon template and its check",
        "no more coupons are issued than there are",
        coupon_races.the_last_coupons_are_sold_once,
        (STOCK_GUARD,),
        (STOCK_CHECK,),
        covered_by="each other: the WHERE asks, the CHECK refuses",
    ),
    Guard(
        "the count of a member's purchases and its check",
        "a member buys no more than its limit",
        coupon_races.a_member_buys_up_to_the_limit,
        (
            Edit(
                COUPONS_SQL,
                "WHERE coupon_purchase_counters.used + excluded.used <= excluded.times_max",
                "WHERE true",
            ),
        ),
        (
            "ALTER TABLE coupon_purchase_counters"
            " DROP CONSTRAINT ck_coupon_purchase_counters_within_times_max",
        ),
        covered_by="each other: the WHERE asks, the CHECK refuses",
    ),
    Guard(
        "the one use of a refresh token",
        "a copied token is found out",
        session_races.one_refresh_token_is_good_once,
        (Edit(ACCESS_SQL, "            col(RefreshToken.used_at).is_(None),\n", ""),),
    ),
    Guard(
        "the step of a TOTP code",
        "a code signs in once",
        session_races.one_totp_code_signs_in_once,
        (
            Edit(
                ACCESS_SQL,
                "keyed.lock_row(tx, Operator, brand_id, operator_id)",
                "keyed.find_row(tx, Operator, brand_id, operator_id)",
            ),
            Edit(
                ACCESS_SQL,
                "or_(col(Operator.totp_last_step).is_(None), col(Operator.totp_last_step) < step),",
                "or_(col(Operator.totp_last_step).is_(None), True),",
            ),
        ),
        covered_by="the lock on the operator's row, under which the last step is read",
        size=12,
    ),
    Guard(
        "one writing transaction at a time on SQLite",
        "what is read is still true when it is written, and all of it is written or nothing",
        scan_races.one_code_pays_once,
        (
            Edit(
                "loyalty/db.py",
                "        connection.exec_driver_sql(begin)\n",
                "        connection.info[begin] = True\n",
            ),
        ),
        kind="sqlite",
    ),
)
