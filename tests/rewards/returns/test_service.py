"""Returns of purchases: what they take back, under each policy, in any number of steps."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.db import Database
from loyalty.errors import (
    InvalidInput,
    NotFound,
    ReferenceConflict,
    Refusal,
    ReturnTooLarge,
)
from loyalty.ids import new_id
from loyalty.ledger.rules import ReturnPolicy
from loyalty.outbox import list_events
from rewards.campaigns.locks import Lock
from rewards.campaigns.models import CapSubject, CapWindow, UnlockKind
from rewards.campaigns.rules import Cap
from rewards.returns.rules import LineRequest, ReturnRequest, Taking
from rewards.returns.service import return_purchase
from tests.rewards.returns.shopping import (
    CHANCES,
    GROWTH,
    POINTS,
    UNLIMITED,
    WITHIN,
    fixed,
    open_shop,
    per_unit,
    points_of,
)

NEXT_TWO = Lock(UnlockKind.NEXT_SCAN, count=2)
FOLLOW = Lock(UnlockKind.ACTION, action="follow", lapses_after=timedelta(days=7))
CAPS = [Cap(CapSubject.MEMBER, window, 9) for window in CapWindow]


async def test_a_return_of_everything_leaves_nothing_of_a_purchase(db: Database) -> None:
    shop = await open_shop(db)
    outcomes = [per_unit(POINTS, 2), per_unit(GROWTH, 1), fixed(CHANCES, 3, FOLLOW)]
    await shop.publish(outcomes, caps=CAPS, budgets={POINTS: 1000, CHANCES: 10})
    await shop.buy("1", 12_399, lines=[(2, 10_000), (1, 2_399)])
    assert await shop.balances() == {POINTS: (246, 0), GROWTH: (123, 0), CHANCES: (0, 3)}
    assert await shop.budgets() == {POINTS: (246, 0), CHANCES: (0, 3)}
    assert set((await shop.counters()).values()) == {1}

    result = await shop.give_back("1", "R1")
    assert result.is_new and result.takings == {
        POINTS: Taking(taken=246),
        GROWTH: Taking(taken=123),
        CHANCES: Taking(voided=3),
    }
    assert await shop.balances() == {}
    assert await shop.budgets() == {POINTS: (0, 0), CHANCES: (0, 0)}
    assert await shop.counters() == {}
    assert await shop.purchase("1") == (12_399, True)
    async with db.snapshot() as snapshot:
        [fact] = await list_events(snapshot, topic="purchase.returned")
    assert fact.payload["amount_fen"] == 12_399 and fact.payload["left_fen"] == 0
    assert fact.payload["taken"][1] == {"asset": GROWTH, "taken": 123, "owed": 0, "voided": 0}
    await shop.check_books()


async def test_a_cap_counts_again_what_was_bought_after_a_return(db: Database) -> None:
    shop = await open_shop(db)
    await shop.publish([per_unit(POINTS, 1)], caps=[Cap(CapSubject.MEMBER, CapWindow.CAMPAIGN, 2)])
    granted = [points_of(await shop.buy(ref, 500)) for ref in ("1", "2", "3")]
    assert granted == [5, 5, 0]
    await shop.give_back("1", "R1", 499)  # something is left of it: it counts
    assert points_of(await shop.buy("4", 500)) == 0
    await shop.give_back("1", "R2")
    assert await shop.counters() == {"ALL": 1}
    assert points_of(await shop.buy("5", 500)) == 5
    await shop.give_back("3", "R3")  # it was never counted
    assert await shop.counters() == {"ALL": 2}
    await shop.check_books()


async def test_lines_are_given_back_piece_by_piece_or_by_amount(db: Database) -> None:
    shop = await open_shop(db)
    await shop.buy("1", 10_000, lines=[(3, 10_000), (1, 0)])
    pieces = [(await shop.give_back("1", f"R{n}", pieces={1: 1})).row.amount_fen for n in range(2)]
    assert pieces == [3334, 3333]  # kept: 2 of 3 is 66.66, 1 of 3 is 33.33
    assert (await shop.balances())[POINTS] == (33, 0)
    free = await shop.give_back("1", "R3", pieces={2: 1})
    assert (free.row.amount_fen, free.takings) == (0, {})
    await shop.give_back("1", "R4", amounts={1: 1_000})
    assert (await shop.balances())[POINTS] == (23, 0)
    last = await shop.give_back("1", "R5", pieces={1: 1})
    assert (last.row.amount_fen, last.row.left_fen) == (2_333, 0)
    assert await shop.balances() == {}
    assert await shop.purchase("1") == (10_000, True)
    await shop.check_books()


async def test_what_was_spent_is_taken_as_far_as_it_is_there_and_again_later(db: Database) -> None:
    shop = await open_shop(db)
    await shop.buy("1", 10_000)
    await shop.spend(90)
    half = await shop.give_back("1", "R1", 5_000)
    assert half.takings[POINTS] == Taking(taken=10)
    assert await shop.balances() == {GROWTH: (50, 0)}
    await shop.buy("2", 20_000)
    rest = await shop.give_back("1", "R2")
    assert rest.takings[POINTS] == Taking(taken=90)
    assert await shop.balances() == {POINTS: (110, 0), GROWTH: (200, 0)}
    await shop.check_books()


async def test_without_limit_the_rest_is_owed_and_repaid_by_the_next_purchase(
    db: Database,
) -> None:
    shop = await open_shop(db)
    await shop.publish([per_unit(POINTS, 1)], policy=UNLIMITED, budgets={POINTS: 1000})
    await shop.buy("1", 10_000)
    await shop.spend(90)
    result = await shop.give_back("1", "R1")
    assert result.takings == {POINTS: Taking(taken=10, owed=90)}
    assert await shop.balances() == {f"{POINTS} owed": (-90, 0)}
    assert await shop.budgets() == {POINTS: (0, 0)}
    await shop.buy("2", 10_000)
    assert await shop.balances() == {POINTS: (10, 0)}
    await shop.check_books()


async def test_only_what_is_pending_goes_where_the_campaign_says_so(db: Database) -> None:
    shop = await open_shop(db)
    outcomes = [per_unit(POINTS, 1), per_unit(CHANCES, 1, FOLLOW)]
    await shop.publish(outcomes, policy=ReturnPolicy.ONLY_PENDING)
    await shop.buy("1", 1_000)
    result = await shop.give_back("1", "R1")
    assert result.takings == {CHANCES: Taking(voided=10)}
    assert await shop.balances() == {POINTS: (10, 0)}
    await shop.check_books()


async def test_a_policy_is_that_of_the_version_that_rewarded_the_purchase(db: Database) -> None:
    shop = await open_shop(db)
    await shop.publish([per_unit(POINTS, 1)], policy=UNLIMITED)
    await shop.buy("1", 1_000)
    await shop.publish([per_unit(POINTS, 5)], policy=WITHIN)
    await shop.spend(10)
    assert (await shop.give_back("1", "R1")).takings == {POINTS: Taking(owed=10)}


async def test_what_is_kept_of_a_locked_reward_waits_on_for_the_same(db: Database) -> None:
    shop = await open_shop(db)
    await shop.publish([per_unit(CHANCES, 1, NEXT_TWO)], budgets={CHANCES: 100})
    await shop.buy("1", 1_000)
    await shop.give_back("1", "R1", 250)
    assert await shop.locked() == [
        (10, "VOIDED", 2, "NEXT_SCAN"),
        (7, "LOCKED", 2, "NEXT_SCAN"),
    ]
    assert await shop.budgets() == {CHANCES: (0, 7)}
    half = await shop.give_back("1", "R2", 250)
    assert half.takings == {CHANCES: Taking(voided=3)}  # of 7, 500 of 750 is 4 and two thirds
    assert await shop.balances() == {CHANCES: (0, 4)}
    await shop.give_back("1", "R3")
    assert await shop.balances() == {} and await shop.budgets() == {CHANCES: (0, 0)}
    assert {row[1] for row in await shop.locked()} == {"VOIDED"}
    await shop.check_books()


async def test_a_repeat_has_no_second_effect_and_other_content_is_refused(db: Database) -> None:
    shop = await open_shop(db)
    await shop.buy("1", 10_000)
    await shop.buy("2", 10_000)
    first = await shop.give_back("1", "R1", 4_000)
    before = await shop.counts()
    again = await shop.give_back("1", "R1", 4_000)
    assert (again.is_new, again.row.id) == (False, first.row.id)
    assert again.takings == first.takings
    for ref, amount_fen in (("1", 3_000), ("1", None), ("2", 4_000)):
        with pytest.raises(ReferenceConflict):
            await shop.give_back(ref, "R1", amount_fen)
    assert await shop.counts() == before
    await shop.give_back("1", "R2")
    assert not (await shop.give_back("1", "R2")).is_new  # also when nothing is left


REFUSED: list[tuple[ReturnRequest, type[Refusal], dict[str, object]]] = [
    (
        ReturnRequest("R", "r", 10_001),
        ReturnTooLarge,
        {"field": "amountFen", "left": 9_000, "wanted": 10_001},
    ),
    (ReturnRequest("R", "r", 0), InvalidInput, {"field": "amountFen"}),
    (ReturnRequest("R", "r", -5), InvalidInput, {"field": "amountFen"}),
    (ReturnRequest("R", "r", 5, (LineRequest(1, 1),)), InvalidInput, {"field": "amountFen"}),
    (
        ReturnRequest("R", "r", lines=(LineRequest(7, 1),)),
        InvalidInput,
        {"field": "lines[0].lineNo"},
    ),
    (
        ReturnRequest("R", "r", lines=(LineRequest(1, 1), LineRequest(1, 1))),
        InvalidInput,
        {"field": "lines[1].lineNo"},
    ),
    (ReturnRequest("R", "r", lines=(LineRequest(1),)), InvalidInput, {"field": "lines[0]"}),
    (
        ReturnRequest("R", "r", lines=(LineRequest(1, 0),)),
        InvalidInput,
        {"field": "lines[0].quantity"},
    ),
    (
        ReturnRequest("R", "r", lines=(LineRequest(1, None, 0),)),
        InvalidInput,
        {"field": "lines[0].amountFen"},
    ),
    (
        ReturnRequest("R", "r", lines=(LineRequest(1, 3),)),
        ReturnTooLarge,
        {"field": "lines[0].quantity", "left": 2, "wanted": 3},
    ),
    (
        ReturnRequest("R", "r", lines=(LineRequest(2, None, 4_001),)),
        ReturnTooLarge,
        {"field": "lines[0].amountFen", "left": 4_000, "wanted": 4_001},
    ),
    (
        ReturnRequest("R", "r", lines=(LineRequest(1, 2), LineRequest(2, 1))),
        ReturnTooLarge,
        {"field": "amountFen", "left": 9_000, "wanted": 10_000},
    ),
    (ReturnRequest("", "r", 5), InvalidInput, {"field": "returnRef"}),
    (ReturnRequest("a\nb", "r", 5), InvalidInput, {"field": "returnRef"}),
    (ReturnRequest("R", " ", 5), InvalidInput, {"field": "reason"}),
]


async def test_what_cannot_be_given_back_is_refused_and_nothing_is_written(db: Database) -> None:
    shop = await open_shop(db)
    bought = await shop.buy("1", 10_000, lines=[(2, 6_000), (1, 4_000)])
    await shop.give_back("1", "before", 1_000)  # of no line
    before = await shop.counts()
    for request, refusal, details in REFUSED:
        with pytest.raises(refusal) as refused:
            await shop.run(return_purchase, shop.actor, request, purchase_ref="1")
        assert details.items() <= refused.value.details.items(), request
    one = ReturnRequest("R", "r", 1)
    for wrong_ref, wrong_id in (("9", None), (None, new_id())):
        with pytest.raises(NotFound):
            await shop.run(
                return_purchase, shop.actor, one, purchase_ref=wrong_ref, purchase_id=wrong_id
            )
    for ref, id in ((None, None), ("1", bought.purchase_id)):
        with pytest.raises(InvalidInput):
            await shop.run(return_purchase, shop.actor, one, purchase_ref=ref, purchase_id=id)
    assert await shop.counts() == before
    await shop.give_back("1", "rest")
    with pytest.raises(ReturnTooLarge) as over:
        await shop.give_back("1", "more", 1)
    assert over.value.details == {"field": "amountFen", "left": 0, "wanted": 1}


async def test_another_brands_purchase_is_not_found(db: Database) -> None:
    ours, theirs = await open_shop(db), await open_shop(db, "theirs")
    bought = await theirs.buy("1", 1_000)
    everything = ReturnRequest("R", "r")
    for ref, id in (("1", None), (None, bought.purchase_id)):
        with pytest.raises(NotFound):
            await ours.run(
                return_purchase, ours.actor, everything, purchase_ref=ref, purchase_id=id
            )


async def test_a_purchase_that_cost_nothing_is_given_back_whole_and_once(db: Database) -> None:
    shop = await open_shop(db)
    await shop.publish([fixed(POINTS, 7)])
    await shop.buy("1", 0, lines=[(2, 0)])
    assert (await shop.give_back("1", "R1", pieces={1: 1})).takings == {}
    assert (await shop.give_back("1", "R2", pieces={1: 1})).takings == {POINTS: Taking(taken=7)}
    with pytest.raises(ReturnTooLarge):
        await shop.give_back("1", "R3")
    await shop.buy("2", 0)
    assert (await shop.give_back("2", "R4")).takings == {POINTS: Taking(taken=7)}
    await shop.check_books()


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amount_fen=st.integers(100, 30_000),
    parts=st.lists(st.integers(1, 9_000), max_size=5),
    spent=st.integers(0, 50),
)
async def test_returns_in_any_steps_that_give_back_everything_take_back_everything(
    db: Database, amount_fen: int, parts: list[int], spent: int
) -> None:
    shop = await open_shop(db, f"b{new_id().hex}")
    outcomes = [per_unit(POINTS, 3), per_unit(GROWTH, 1), per_unit(CHANCES, 7, FOLLOW)]
    await shop.publish(outcomes, policy=UNLIMITED, budgets={POINTS: 10**6, CHANCES: 10**6})
    result = await shop.buy("1", amount_fen)
    await shop.spend(min(spent, points_of(result)) or 1)
    left, taken = amount_fen, dict.fromkeys((POINTS, GROWTH, CHANCES), 0)
    for n, wanted in enumerate((*parts, amount_fen)):
        part = min(wanted, left)
        if part == 0:
            break
        left -= part
        took = (await shop.give_back("1", f"{shop.brand.slug}-{n}", part)).takings
        for asset, taking in took.items():
            taken[asset] += taking.taken + taking.owed + taking.voided
        points = 3 * (amount_fen // 100)
        assert taken[POINTS] == points - points * left // amount_fen
    assert taken == {e.asset: e.amount for e in result.earned}
    assert await shop.budgets() == {POINTS: (0, 0), CHANCES: (0, 0)}
    assert await shop.purchase("1") == (amount_fen, True)


async def test_returns_at_once_never_exceed_a_purchase(db: Database, database_url: str) -> None:
    shop = await open_shop(db)
    await shop.publish([per_unit(POINTS, 1), per_unit(CHANCES, 1, FOLLOW)], budgets={POINTS: 1000})
    await shop.buy("1", 10_000)
    rivals = [Database(database_url) for _ in range(6)]
    try:
        found = await asyncio.gather(
            *(shop.give_back("1", f"R{n}", 3_000, db=db) for n, db in enumerate(rivals)),
            return_exceptions=True,
        )
    finally:
        for rival in rivals:
            await rival.close()
    done = [result for result in found if not isinstance(result, BaseException)]
    refused = [result for result in found if isinstance(result, BaseException)]
    assert len(done) == 3 and {type(error) for error in refused} == {ReturnTooLarge}
    assert await shop.purchase("1") == (9_000, False)
    assert await shop.balances() == {POINTS: (10, 0), CHANCES: (0, 10)}
    await shop.check_books()


async def test_one_return_sent_by_many_at_once_is_made_once(
    db: Database, database_url: str
) -> None:
    shop = await open_shop(db)
    await shop.buy("1", 10_000)
    rivals = [Database(database_url) for _ in range(5)]
    try:
        found = await asyncio.gather(*(shop.give_back("1", "R", 5_000, db=r) for r in rivals))
    finally:
        for rival in rivals:
            await rival.close()
    assert sorted(result.is_new for result in found) == [False] * 4 + [True]
    assert len({result.row.id for result in found}) == 1
    assert (await shop.balances())[POINTS] == (50, 0)


async def test_a_return_beside_its_purchase_finds_all_of_it_or_nothing(
    db: Database, database_url: str
) -> None:
    shop = await open_shop(db)
    await shop.buy("0", 100)
    rival = Database(database_url)
    try:
        for n in range(6):
            bought, returned = await asyncio.gather(
                shop.buy(f"P{n}", 5_000),
                shop.give_back(f"P{n}", f"R{n}", db=rival),
                return_exceptions=True,
            )
            assert not isinstance(bought, BaseException)
            if isinstance(returned, BaseException):
                assert isinstance(returned, NotFound)
                await shop.give_back(f"P{n}", f"R{n}")
    finally:
        await rival.close()
    assert await shop.balances() == {POINTS: (1, 0), GROWTH: (1, 0)}
    await shop.check_books()
