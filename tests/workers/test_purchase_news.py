"""What members are told of their purchases and returns: points that came and went, once."""

from loyalty.db import Database
from loyalty.notifications.providers import NullProvider
from tests.rewards.returns.shopping import POINTS, UNLIMITED, open_shop, per_unit
from tests.workers.facts import list_notifications, states
from workers.wiring import make_relay


async def test_points_of_purchases_and_returns_are_told_in_words(db: Database) -> None:
    shop = await open_shop(db)
    await shop.publish([per_unit(POINTS, 1)], policy=UNLIMITED)
    await shop.buy("1", 12_399)
    await shop.buy("2", 99)  # earns nothing: nothing is told
    await shop.give_back("1", "R1", 2_399)
    await shop.spend(95)
    await shop.give_back("1", "R2")
    await shop.give_back("2", "R3")
    relay = make_relay(db, NullProvider())
    while await relay.run_once():
        pass
    assert set(await states(db)) == {"delivered"}
    told = [
        row.content
        for row in sorted(await list_notifications(db), key=lambda row: row.id)
        if row.kind.startswith("PURCHASE")
    ]
    assert [content["zh"] for content in told] == [
        "您在Demo的消费获得123积分。",
        "您在Demo的退货已处理，扣回24积分。",
        "您在Demo的退货已处理，扣回4积分，另有95积分将从以后获得的积分中抵扣。",
    ]
    assert [content["en"] for content in told] == [
        "Your purchase at Demo has earned you 123 points.",
        "Your return at Demo has taken back 24 points.",
        "Your return at Demo has taken back 4 points. Later points will repay 95 more.",
    ]
