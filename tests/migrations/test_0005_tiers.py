"""Ladders from before there were metrics keep their meaning, and holders their levels."""

from uuid import UUID

from loyalty.db import Database
from loyalty.ids import new_id
from migrations.runner import pending, upgrade
from tests.migrations.past import AT, USUAL, RowThen, brand_then, make_past
from tests.tiers.standings.members import rows
from tiers.ladders.rules import LadderPolicy
from tiers.ladders.service import current_ladders
from tiers.standings.models import Standing, StandingChange

BEFORE = "0004"


def _then(brand: UUID, ladder: UUID, risen: UUID, lowered: UUID) -> list[RowThen]:
    """Rows as they were: somebody rose by growth, somebody was lowered by a shorter ladder."""
    levels = [(0, "BASIC", 0), (1, "SILVER", 100)]
    ladder_row = {"role": "CONSUMER", "version": 3, "published_by": new_id(), "published_at": AT}
    moves = [(risen, new_id()), (lowered, None)]
    return [
        brand_then(brand),
        ("ladders", {"brand_id": brand, "id": ladder} | ladder_row),
        *(
            (
                "ladder_levels",
                {"brand_id": brand, "ladder_id": ladder, "rank": rank, "code": code}
                | {"name_zh": "级", "name_en": code, "growth_threshold": threshold}
                | {"points_multiplier_percent": 150},
            )
            for rank, code, threshold in levels
        ),
        *(("identities", {"brand_id": brand, "id": id, "wechat": True}) for id, _ in moves),
        *(
            (
                "members",
                {"brand_id": brand, "id": id, "identity_id": id, "role": "CONSUMER"}
                | {"status": "ACTIVE", "enrolled_at": AT},
            )
            for id, _ in moves
        ),
        *(
            ("standings", {"brand_id": brand, "member_id": id, "rank": 1, "since": AT})
            for id, _ in moves
        ),
        *(
            (
                "standing_changes",
                {"brand_id": brand, "id": new_id(), "member_id": id, "from_rank": 0, "to_rank": 1}
                | {"transfer_id": transfer, "ladder_id": ladder, "occurred_at": AT},
            )
            for id, transfer in moves
        ),
    ]


async def test_ladders_and_standings_mean_what_they_meant(empty_database_url: str) -> None:
    brand, ladder, risen, lowered = new_id(), new_id(), new_id(), new_id()
    await make_past(empty_database_url, BEFORE, _then(brand, ladder, risen, lowered), USUAL)
    assert (await pending(empty_database_url))[0] == "0005"
    await upgrade(empty_database_url)
    db = Database(empty_database_url)
    try:
        async with db.snapshot() as snapshot:
            view = (await current_ladders(snapshot, brand))["CONSUMER"]
        assert (view.id, view.version, view.policy) == (ladder, 3, LadderPolicy())
        assert [(level.code, level.growth_threshold) for level in view.levels] == [
            ("BASIC", 0),
            ("SILVER", 100),
        ]
        assert not any(level.invitation_only for level in view.levels)
        for standing in await rows(db, Standing):
            assert (standing.rank, standing.earned_rank, standing.basis) == (1, 1, "EARNED")
            assert (standing.held_until, standing.due_on, standing.since) == (None, None, AT)
        reasons = {change.member_id: change.reason for change in await rows(db, StandingChange)}
        assert reasons == {risen: "EARNED", lowered: "LADDER"}
    finally:
        await db.close()
