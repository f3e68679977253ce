"""At the till: who may take which step when, what it writes, and what the others are told."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.actor import Actor, ActorKind
from loyalty.db import Database, Tx
from loyalty.errors import (
    CouponNotUsable,
    CouponTaken,
    CouponUnknown,
    InvalidInput,
    NotFound,
    PlaceClosed,
    RedemptionStateWrong,
)
from loyalty.ids import new_id
from rewards.coupons.models import Coupon
from rewards.redemptions import service
from rewards.redemptions.models import Redemption, RedemptionEvent, RedemptionStatus
from rewards.redemptions.rules import CouponAtTill
from tests.clocks import SettableClock
from tests.rewards.redemptions.floor import Floor, refusal
from tests.rewards.redemptions.shops import (
    AMOUNT_OFF_FEN,
    REBATE_FEN,
    Counter,
    add_coupon,
    add_template,
    make_shops,
)

HOLD_SECONDS = 300


# --- every step from every state ---------------------------------------------------------------


async def held(floor: Floor) -> Redemption:
    return await floor.hold(await floor.coupon())


async def lapsed_by_date(floor: Floor) -> Redemption:
    redemption = await held(floor)
    floor.clock.advance(seconds=HOLD_SECONDS)
    return redemption


async def tidied(floor: Floor) -> Redemption:
    redemption = await lapsed_by_date(floor)
    assert await floor.lapse() > 0
    return redemption


async def voided(floor: Floor) -> Redemption:
    return await floor.void((await held(floor)).id)


async def captured(floor: Floor) -> Redemption:
    return await floor.captured()


async def reversed_(floor: Floor) -> Redemption:
    return await floor.reverse((await floor.captured()).id)


# state, its status as told, the coupon's, and the steps that may follow
STATES: list[tuple[Callable[[Floor], Awaitable[Redemption]], str, str, dict[str, str]]] = [
    (held, "HELD", "HELD", {"capture": "REDEEMED", "void": "ISSUED"}),
    (lapsed_by_date, "LAPSED", "HELD", {}),
    (tidied, "LAPSED", "ISSUED", {}),
    (voided, "VOIDED", "ISSUED", {}),
    (captured, "CAPTURED", "REDEEMED", {"reverse": "ISSUED"}),
    (reversed_, "REVERSED", "ISSUED", {}),
]
WANTED = {"capture": "CAPTURED", "void": "VOIDED", "reverse": "REVERSED"}
STEPS = {"HELD": ["HOLD"], "CAPTURED": ["HOLD", "CAPTURE"], "VOIDED": ["HOLD", "VOID"]} | {
    "REVERSED": ["HOLD", "CAPTURE", "REVERSE"]
}


async def test_every_step_from_every_state_is_taken_or_refused_as_the_table_says(
    floor: Floor,
) -> None:
    for make, status, coupon_status, legal in STATES:
        for verb, wanted in WANTED.items():
            redemption = await make(floor)
            act = getattr(floor, verb)
            if verb in legal:
                done = await act(redemption.id)
                assert done.status == wanted
                assert await floor.steps(redemption.id) == STEPS[wanted]
                told = legal[verb]
            else:
                before = await floor.everything()
                refused = await refusal(act(redemption.id))
                assert isinstance(refused, RedemptionStateWrong), (status, verb)
                assert refused.details == {"status": status, "wanted": wanted}
                assert await floor.everything() == before
                told = coupon_status
            coupons = {coupon.id: coupon.status for coupon in await floor.all(Coupon)}
            assert coupons[redemption.coupon_id] == told, (status, verb)


async def test_a_coupon_set_free_may_be_held_again_and_its_history_stays(floor: Floor) -> None:
    for make, *_ in STATES:
        redemption = await make(floor)
        (coupon,) = [c for c in await floor.all(Coupon) if c.id == redemption.coupon_id]
        if make in (held, captured):
            assert isinstance(await refusal(floor.hold(coupon)), CouponTaken)
            continue
        again = await floor.hold(coupon, floor.shops.west)
        assert again.id != redemption.id
        assert (await floor.statuses(coupon))[1][-1] == "HELD"
        assert (await floor.steps(redemption.id))[0] == "HOLD"


# --- hold --------------------------------------------------------------------------------------


async def test_a_hold_lapses_by_date_without_any_job(floor: Floor) -> None:
    coupon = await floor.coupon()
    first = await floor.hold(coupon, basket_fen=2000)
    assert first.held_until == floor.clock() + timedelta(seconds=HOLD_SECONDS)
    floor.clock.advance(seconds=HOLD_SECONDS - 1)
    assert isinstance(await refusal(floor.hold(coupon, floor.shops.west)), CouponTaken)

    floor.clock.advance(seconds=1)
    second = await floor.hold(coupon, floor.shops.west)
    assert await floor.statuses(coupon) == ("HELD", ["LAPSED", "HELD"])
    assert (await floor.capture(second.id, floor.shops.west)).status == "CAPTURED"
    late = await refusal(floor.capture(first.id))
    assert late.details == {"status": "LAPSED", "wanted": "CAPTURED"}
    lapse = [event for event in await floor.all(RedemptionEvent) if event.step == "LAPSE"]
    assert [(e.redemption_id, e.actor_kind, e.till_id) for e in lapse] == [
        (first.id, "SYSTEM", None)
    ]


async def test_the_loser_is_told_who_has_the_coupon_and_since_when(floor: Floor) -> None:
    coupon = await floor.coupon()
    redemption = await floor.hold(coupon, floor.shops.east_too)
    details = {
        "place": "East Street",
        "till": "Till 2",
        "at": "2026-11-09T12:00:00+08:00",
        "status": "HELD",
    }
    taken = await refusal(floor.hold(coupon, floor.shops.west))
    assert (taken.code, taken.details) == ("COUPON_TAKEN", details)
    assert datetime.fromisoformat(details["at"]) == floor.clock()

    floor.clock.advance(minutes=2)
    await floor.capture(redemption.id)
    taken = await refusal(floor.hold(coupon, floor.shops.west))
    assert taken.details == details | {"at": "2026-11-09T12:02:00+08:00", "status": "CAPTURED"}


async def test_a_coupon_that_is_no_use_here_is_not_taken(floor: Floor) -> None:
    far = await floor.coupon(place_ids=[floor.shops.west.place.id.hex])
    before = await floor.everything()
    refused = await refusal(floor.hold(far))
    assert (refused.code, refused.details) == ("COUPON_NOT_USABLE", {"reason": "PLACE"})
    assert await floor.everything() == before
    assert (await floor.hold(far, floor.shops.west)).discount_fen == AMOUNT_OFF_FEN

    tea = await floor.coupon(product_ids=[floor.shops.product_id.hex], spend_min_fen=800)
    basket: dict[str, Any] = {"basket_fen": 900}
    assert (await refusal(floor.hold(tea, **basket))).details == {"reason": "PRODUCT"}
    basket["product_ids"] = [new_id(), floor.shops.product_id]
    for price in (-1, 2**62):
        assert isinstance(await refusal(floor.hold(tea, basket_fen=price)), InvalidInput)
    assert (await floor.hold(tea, **basket)).basket_fen == 900


async def test_the_last_day_of_a_coupon_is_the_brands_own(floor: Floor) -> None:
    coupon = await floor.coupon()
    floor.clock.set(datetime(2026, 11, 30, 15, 59, tzinfo=UTC))  # a minute to midnight there
    redemption = await floor.hold(coupon)
    floor.clock.advance(minutes=2)
    assert isinstance(await refusal(floor.hold(await floor.coupon())), CouponNotUsable)
    assert (await floor.capture(redemption.id)).status == "CAPTURED"


async def test_another_brands_coupon_is_unknown_like_a_made_up_one(floor: Floor) -> None:
    other = await floor.db.in_transaction(make_shops, f"others-{new_id().hex}")
    template = await floor.db.in_transaction(add_template, other.brand.id)
    theirs = await floor.db.in_transaction(add_coupon, template)
    made_up = Coupon(**theirs.model_dump() | {"code": "0000111122223333"})
    nonsense = Coupon(**theirs.model_dump() | {"code": "tea, please"})
    answers = [await refusal(floor.hold(c)) for c in (theirs, made_up, nonsense)]
    assert {(type(a), a.code, str(a.details)) for a in answers} == {
        (CouponUnknown, "COUPON_UNKNOWN", "{}")
    }
    redemption = await floor.hold(theirs, other.east)
    for act in (floor.capture, floor.void, floor.reverse):
        assert isinstance(await refusal(act(redemption.id)), NotFound)


# --- who may -----------------------------------------------------------------------------------


async def test_any_till_of_the_place_may_finish_and_no_other_place(floor: Floor) -> None:
    shops = floor.shops
    redemption = await floor.hold(await floor.coupon(), shops.east)
    before = await floor.everything()
    for act in (floor.capture, floor.void):
        assert isinstance(await refusal(act(redemption.id, shops.west)), NotFound)
    assert await floor.everything() == before
    await floor.capture(redemption.id, shops.east_too)
    assert isinstance(await refusal(floor.reverse(redemption.id, shops.west.actor)), NotFound)
    await floor.reverse(redemption.id, shops.east.actor)
    events = [e for e in await floor.all(RedemptionEvent) if e.redemption_id == redemption.id]
    assert [(e.step, e.actor_id, e.till_id) for e in events] == [
        ("HOLD", shops.east.clerk.id, shops.east.till.id),
        ("CAPTURE", shops.east_too.clerk.id, shops.east_too.till.id),
        ("REVERSE", shops.east.clerk.id, shops.east.till.id),
    ]


@pytest.mark.parametrize(
    ("part", "status"), [("till", "REVOKED"), ("clerk", "LEFT"), ("place", "CLOSED")]
)
async def test_who_is_out_of_service_takes_no_further_step(
    floor: Floor, part: str, status: str
) -> None:
    desk: Counter = floor.shops.east
    redemption = await floor.hold(await floor.coupon())
    done = await floor.captured()
    free = await floor.coupon()
    await floor.change(getattr(desk, part), status=status)
    before = await floor.everything()
    for act in (
        floor.capture(redemption.id),
        floor.void(redemption.id),
        floor.reverse(done.id),
        floor.hold(free),
    ):
        assert isinstance(await refusal(act), PlaceClosed)
    async with floor.db.snapshot() as snapshot:
        looking = service.look_up(snapshot, desk.actor, free.code)
        assert isinstance(await refusal(looking), PlaceClosed)
    assert await floor.everything() == before
    if part != "place":
        await floor.capture(redemption.id, floor.shops.east_too)


async def test_somebody_who_is_no_clerk_takes_no_step(floor: Floor) -> None:
    member = Actor(ActorKind.MEMBER, floor.brand_id, new_id(), "CONSUMER")
    redemption = await floor.captured()
    with pytest.raises(NotFound):
        await floor.db.in_transaction(service.capture, member, redemption.id)
    assert isinstance(await refusal(floor.reverse(redemption.id, member)), NotFound)


# --- look up -----------------------------------------------------------------------------------


async def look(floor: Floor, coupon: Coupon, **basket: Any) -> CouponAtTill:
    async with floor.db.snapshot() as snapshot:
        return await service.look_up(snapshot, floor.shops.west.actor, coupon.code, **basket)


async def test_looking_quotes_names_the_holder_and_takes_nothing(floor: Floor) -> None:
    coupon = await floor.coupon(spend_min_fen=100)
    before = await floor.everything()
    found = await look(floor, coupon, basket_fen=300)
    assert found.quote is not None
    assert (found.quote.discount_fen, found.quote.rebate_fen) == (300, REBATE_FEN)
    assert (found.reason, found.taken) == (None, None)
    poor = await look(floor, coupon)
    assert (poor.quote, poor.reason) == (None, "SPEND_MIN")
    assert await floor.everything() == before

    await floor.hold(coupon, basket_fen=300)
    taken = (await look(floor, coupon, basket_fen=300)).taken
    assert taken is not None
    assert (taken.place_name, taken.till_name, taken.status, taken.at) == (
        "East Street",
        "Till 1",
        RedemptionStatus.HELD,
        floor.clock(),
    )
    floor.clock.advance(seconds=HOLD_SECONDS)
    assert (await look(floor, coupon, basket_fen=300)).taken is None


# --- at the very moment ------------------------------------------------------------------------


async def test_a_capture_begun_in_time_wins_over_a_till_whose_clock_says_it_is_over(
    floor: Floor, database_url: str
) -> None:
    coupon = await floor.coupon()
    redemption = await floor.hold(coupon)
    later = SettableClock(floor.clock() + timedelta(seconds=HOLD_SECONDS))
    captured = asyncio.Event()

    async def capture_slowly(tx: Tx) -> None:
        await service.capture(tx, floor.shops.east.actor, redemption.id)
        captured.set()
        await asyncio.sleep(0.2)

    elsewhere = Database(database_url, clock=later)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(floor.db.in_transaction(capture_slowly))
        await captured.wait()
        west = floor.shops.west.actor
        hold = elsewhere.in_transaction(service.hold_coupon, west, code=coupon.code)
        taken = await refusal(hold)
    await elsewhere.close()
    assert (taken.code, taken.details["status"]) == ("COUPON_TAKEN", "CAPTURED")
    assert await floor.statuses(coupon) == ("REDEEMED", ["CAPTURED"])


# --- tidying -----------------------------------------------------------------------------------


async def test_holds_that_are_over_are_tidied_some_at_a_time(floor: Floor) -> None:
    over = [await held(floor) for _ in range(3)]
    floor.clock.advance(seconds=HOLD_SECONDS)
    fresh = await held(floor)
    assert await floor.lapse(limit=2) == 2
    assert await floor.lapse(limit=2) == 1
    assert await floor.lapse() == 0
    assert {row.id: row.status for row in await floor.all(Redemption)} == {
        **{redemption.id: "LAPSED" for redemption in over},
        fresh.id: "HELD",
    }
    assert [c.status for c in await floor.all(Coupon)] == ["ISSUED"] * 3 + ["HELD"]
    assert [await floor.steps(r.id) for r in over] == [["HOLD", "LAPSE"]] * 3


async def test_a_coupon_that_went_on_is_left_as_it_is(floor: Floor) -> None:
    coupon = await floor.coupon()
    await floor.hold(coupon)
    floor.clock.advance(seconds=HOLD_SECONDS)
    void = {"status": "VOID", "held_until": None, "redemption_id": None}
    await floor.change(coupon, **void)
    assert await floor.lapse() == 1
    assert await floor.statuses(coupon) == ("VOID", ["LAPSED"])
    assert (await refusal(floor.hold(coupon))).details == {"reason": "VOID"}
