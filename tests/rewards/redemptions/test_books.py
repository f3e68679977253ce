"""Captures and their reversals: what they do to the books, and until when."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from loyalty.actor import Actor, ActorKind, Grant
from loyalty.audit_log import AuditLogEntry
from loyalty.errors import InvalidInput, RedemptionStateWrong, ReversalWindowOver
from loyalty.ids import new_id
from loyalty.ledger.models import Transfer
from rewards.redemptions import service
from rewards.redemptions.models import Redemption, RedemptionEvent
from tests.rewards.redemptions.floor import Floor, refusal
from tests.rewards.redemptions.shops import REBATE_FEN, UNTIL

WINDOW_SECONDS = 7 * 86400


async def test_a_capture_holds_the_rebate_and_states_two_facts(floor: Floor) -> None:
    redemption = await floor.captured()
    assert (redemption.rebate_fen, redemption.captured_at) == (REBATE_FEN, floor.clock())
    assert await floor.rebates() == (0, REBATE_FEN)
    assert await floor.issued() == (0, REBATE_FEN)
    (pending,) = await floor.all(Transfer)
    assert (pending.id, pending.phase, pending.kind, pending.amount, pending.cause_id) == (
        redemption.rebate_transfer_id,
        "PENDING",
        "REBATE",
        REBATE_FEN,
        redemption.id,
    )
    place_id = redemption.place_id.hex
    assert await floor.facts() == [
        ("redemption.captured", redemption.id, {"place_id": place_id}),
        (
            "coupon.redeemed",
            redemption.member_id,
            {
                "redemption_id": redemption.id.hex,
                "coupon_id": redemption.coupon_id.hex,
                "template_id": redemption.template_id.hex,
                "place_id": place_id,
            },
        ),
    ]


async def test_a_coupon_without_rebate_moves_no_money(floor: Floor) -> None:
    redemption = await floor.captured(cost_fen=0, fee_fen=0)
    assert (redemption.rebate_fen, redemption.rebate_transfer_id) == (0, None)
    await floor.reverse(redemption.id)
    assert await floor.all(Transfer) == []
    assert await floor.rebates() == (0, 0)
    assert len(await floor.facts()) == 2


async def test_a_reversal_takes_the_rebate_back_pending_or_settled(floor: Floor) -> None:
    pending, settled = await floor.captured(), await floor.captured()
    await floor.settle(settled.id)
    assert await floor.rebates() == (REBATE_FEN, REBATE_FEN)
    await floor.reverse(pending.id)
    assert await floor.rebates() == (REBATE_FEN, 0)
    await floor.reverse(settled.id)
    assert await floor.rebates() == (0, 0)
    assert await floor.issued() == (0, 0)
    by_cause: dict[UUID, list[tuple[str, str]]] = {}
    for transfer in await floor.all(Transfer):
        by_cause.setdefault(transfer.cause_id, []).append((transfer.kind, transfer.phase))
    assert by_cause == {
        pending.id: [("REBATE", "PENDING"), ("REBATE", "VOID")],
        settled.id: [("REBATE", "PENDING"), ("REBATE", "POST"), ("REVERSE", "POSTED")],
    }
    with pytest.raises(RedemptionStateWrong):
        await floor.reverse(settled.id)


async def test_settlement_and_reversal_at_one_moment_agree(floor: Floor) -> None:
    done = [await floor.captured() for _ in range(12)]
    acts = [act for r in done for act in (floor.settle(r.id), floor.reverse(r.id))]
    await asyncio.gather(*acts)
    assert await floor.rebates() == (0, 0)
    assert await floor.issued() == (0, 0)
    assert {row.status for row in await floor.all(Redemption)} == {"REVERSED"}


async def test_the_window_for_reversals_is_open_to_its_end_and_not_longer(floor: Floor) -> None:
    first, second = await floor.captured(), await floor.captured()
    floor.clock.advance(seconds=WINDOW_SECONDS)
    assert (await floor.reverse(first.id)).reason == "wrong bottle"
    floor.clock.advance(seconds=1)
    over = await refusal(floor.reverse(second.id))
    assert isinstance(over, ReversalWindowOver)
    assert over.details == {"until": "2026-11-16T12:00:00+08:00"}
    assert await floor.rebates() == (0, REBATE_FEN)


async def test_a_coupon_given_back_after_its_last_day_has_expired(floor: Floor) -> None:
    floor.clock.set(datetime(2026, 11, 30, 4, tzinfo=UTC))
    coupon = await floor.coupon()
    redemption = await floor.capture((await floor.hold(coupon)).id)
    floor.clock.advance(days=1)
    assert floor.clock().date() > UNTIL
    await floor.reverse(redemption.id)
    assert await floor.statuses(coupon) == ("EXPIRED", ["REVERSED"])
    assert (await refusal(floor.hold(coupon))).details == {"reason": "EXPIRED"}


async def test_an_operator_may_reverse_and_says_why_on_record(floor: Floor) -> None:
    operator = Actor(
        ActorKind.OPERATOR, floor.brand_id, new_id(), "MARKETER", frozenset({Grant.COUPONS})
    )
    redemption = await floor.captured()
    await floor.reverse(redemption.id, operator)
    (entry,) = [e for e in await floor.all(AuditLogEntry) if e.action == "redemption.reverse"]
    assert (entry.actor_id, entry.subject_id, entry.reason) == (
        operator.id,
        redemption.id,
        "wrong bottle",
    )
    (event,) = [e for e in await floor.all(RedemptionEvent) if e.step == "REVERSE"]
    assert (event.actor_kind, event.till_id, event.reason) == ("OPERATOR", None, "wrong bottle")
    with pytest.raises(InvalidInput):
        await floor.db.in_transaction(service.reverse, operator, redemption.id, "  ")
