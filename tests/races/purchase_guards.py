"""The guards of purchases and returns; as ``guards.py``."""

from tests.races import purchase_races
from tests.races.guards import Edit, Guard

PURCHASES_SQL = "rewards/purchases/queries.py"

PURCHASE_LOCK = Edit(
    PURCHASES_SQL,
    "return await keyed.lock_row(tx, PurchaseEvent, brand_id, id)",
    "return await keyed.find_row(tx, PurchaseEvent, brand_id, id)",
)

PURCHASE_GUARDS: tuple[Guard, ...] = (
    Guard(
        "one purchase of a reference",
        "a purchase is recorded once, however many tell of it",
        purchase_races.one_purchase_is_recorded_once,
        (),
        (
            "ALTER TABLE purchase_events"
            " DROP CONSTRAINT uq_purchase_events_brand_id_purchase_ref CASCADE",
            "ALTER TABLE identities DROP CONSTRAINT uq_identities_brand_id_external_ref CASCADE",
            "ALTER TABLE members DROP CONSTRAINT uq_members_brand_id_identity_id_role CASCADE",
        ),
        covered_by="for somebody new: one identity of a reference, one member of an identity",
    ),
    Guard(
        "the lock on a purchase, its guarded count and their checks",
        "no more is given back than was bought",
        purchase_races.a_purchase_is_returned_up_to_its_amount,
        (
            PURCHASE_LOCK,
            Edit(
                PURCHASES_SQL,
                "AND returned_at IS NULL\n        AND returned_fen + :amount_fen <= amount_fen\n",
                "",
            ),
        ),
        (
            "ALTER TABLE purchase_events DROP CONSTRAINT ck_purchase_events_returned_within_amount",
            "ALTER TABLE purchase_events"
            " DROP CONSTRAINT ck_purchase_events_returned_when_nothing_is_left",
        ),
        covered_by="each other; and, where something was earned, by the lock on members' accounts",
    ),
    Guard(
        "one return of a reference",
        "a return is made once, however often it is sent",
        purchase_races.one_return_is_made_once,
        (PURCHASE_LOCK,),
        ("ALTER TABLE purchase_returns DROP CONSTRAINT uq_purchase_returns_brand_id_return_ref",),
        covered_by="the lock on the purchase, under which earlier returns are read",
    ),
)
