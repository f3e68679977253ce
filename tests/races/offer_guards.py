"""The guards of the points mall; as ``guards.py``."""

from tests.races import offer_races
from tests.races.guards import Edit, Guard

OFFERS_SQL = "rewards/offers/queries.py"

OFFER_GUARDS: tuple[Guard, ...] = (
    Guard(
        "the stock of an offer and its check",
        "no more pieces are taken than there are",
        offer_races.the_malls_last_item_is_taken_once,
        (
            Edit(
                OFFERS_SQL,
                "OR offers.taken + :amount <= offers.stock_max))\n    RETURNING",
                "OR offers.stock_max IS NOT NULL))\n    RETURNING",
            ),
        ),
        ("ALTER TABLE offers DROP CONSTRAINT ck_offers_within_stock",),
        covered_by="each other: the WHERE asks, the CHECK refuses",
    ),
    Guard(
        "the count of an offer's day and its check",
        "no more pieces are taken on a day than there are",
        offer_races.a_days_pieces_are_taken_once,
        (
            Edit(
                OFFERS_SQL,
                "OR offer_days.taken + excluded.taken <= excluded.taken_max",
                "OR excluded.taken_max IS NOT NULL",
            ),
        ),
        ("ALTER TABLE offer_days DROP CONSTRAINT ck_offer_days_within_taken_max",),
        covered_by="each other: the WHERE asks, the CHECK refuses",
    ),
    Guard(
        "the count of a member's pieces and its check",
        "a member takes no more of an offer than its limits",
        offer_races.a_member_takes_up_to_its_limit,
        (
            Edit(
                OFFERS_SQL,
                "OR offer_counters.used + excluded.used <= excluded.times_max",
                "OR excluded.times_max IS NOT NULL",
            ),
        ),
        ("ALTER TABLE offer_counters DROP CONSTRAINT ck_offer_counters_within_times_max",),
        covered_by="each other: the WHERE asks, the CHECK refuses",
        size=30,
    ),
    Guard(
        "the status of an order",
        "an order ends once, and its price is given back once",
        offer_races.an_order_is_cancelled_once,
        (
            Edit(
                "rewards/orders/queries.py",
                "            col(OfferOrder.status) == OrderStatus.PLACED.value,\n",
                "",
            ),
        ),
        size=12,
    ),
)
