"""Brands from before taxes were withheld have a book for them, as old as their other books; what
they sold asks for no age, and what they ran, ran everywhere."""

from sqlalchemy import text

from loyalty.actor import system_actor
from loyalty.brands.service import get_brand
from loyalty.db import Database
from loyalty.ids import new_id
from loyalty.products.service import products_by_id
from loyalty.withholdings.service import set_terms, terms_of
from migrations.runner import pending, upgrade
from rewards.campaigns.service import live_campaigns
from tests.migrations.past import AT, USUAL, RowThen, brand_then, make_past

BEFORE = "0019"
BRAND, PRODUCT, CAMPAIGN = new_id(), new_id(), new_id()
ZEROS = dict.fromkeys(
    ("credits_posted", "debits_posted", "credits_pending", "debits_pending", "corners"), 0
)


def _then() -> list[RowThen]:
    own = {"brand_id": BRAND}
    said = {"name_zh": "茶", "name_en": "Tea"}
    book = own | {"owner_id": BRAND, "asset": "CASH", "kind": "PAYOUT", "overdraft_allowed": False}
    version = own | said | {"id": new_id(), "campaign_id": CAMPAIGN, "version": 1, "event": "SCAN"}
    rules = {"gate": "NONE", "priority": 0, "outcomes": [], "caps": [], "return_policies": {}}
    by_whom = {"published_by": new_id(), "published_at": AT}
    return [
        brand_then(BRAND),
        ("accounts", book | {"id": new_id()}),
        ("products", own | said | {"id": PRODUCT, "sku": "TEA"}),
        ("campaigns", own | {"id": CAMPAIGN, "code": "tea", "status": "RUNNING"}),
        ("campaign_versions", version | rules | by_whom),
    ]


async def test_a_brand_of_before_withholds_from_its_first_day(empty_database_url: str) -> None:
    more = {"member_days": [], "prize_ceiling_fen": 1}
    await make_past(empty_database_url, BEFORE, _then(), USUAL | ZEROS | more)
    assert (await pending(empty_database_url))[0] == "0020"
    await upgrade(empty_database_url)
    db = Database(empty_database_url)
    try:
        await db.in_transaction(
            set_terms, system_actor(BRAND), threshold_fen=1_000_000, rate_percent=20
        )
        async with db.snapshot() as snapshot:
            terms = await terms_of(snapshot, await get_brand(snapshot, BRAND))
            products = await products_by_id(snapshot, BRAND)
            live = await live_campaigns(snapshot, BRAND)
        async with db.engine.connect() as connection:
            books = text("SELECT count(*) FROM accounts WHERE kind = 'TAX' AND owner_id = brand_id")
            assert (await connection.execute(books)).scalar_one() == 1
        assert terms is not None
        assert (terms.threshold_fen, terms.rate_percent) == (1_000_000, 20)
        assert products[PRODUCT].age_min is None
        assert [(each.code, each.regions) for each in live.all()] == [("tea", ())]
    finally:
        await db.close()
