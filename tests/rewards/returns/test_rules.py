"""What a return gives back, and its share of the rewards."""

from datetime import UTC, date, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from loyalty.ids import new_id
from loyalty.ledger.rules import ReturnPolicy
from loyalty.reversals.rules import Credited
from rewards.grants.world import MemberState
from rewards.purchases.models import PurchaseEvent, PurchaseLine
from rewards.returns.rules import (
    Given,
    LineRequest,
    ReturnRequest,
    plan_given,
    share_after,
    wanted_back,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
BRAND, PURCHASE, MEMBER = new_id(), new_id(), new_id()
EVERYTHING = ReturnRequest("R", "r")

SUMS = st.integers(1, 10**11)
PARTS = st.lists(st.integers(1, 10**11), max_size=8)
LINES = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 10_000)), min_size=1, max_size=4)


def unlimited(_: UUID | None, role: str) -> ReturnPolicy:
    return ReturnPolicy.UNLIMITED


BUYER = MemberState(BRAND, MEMBER, new_id(), "CONSUMER", "ACTIVE")


def purchase(amount_fen: int, returned_fen: int = 0) -> PurchaseEvent:
    return PurchaseEvent(
        brand_id=BRAND,
        id=PURCHASE,
        purchase_ref="P",
        content_hash="c",
        member_id=MEMBER,
        purchased_on=date(2026, 11, 22),
        quantity=1,
        amount_fen=amount_fen,
        points_granted=0,
        returned_fen=returned_fen,
        returned_at=NOW if 0 < amount_fen == returned_fen else None,
        occurred_at=NOW,
        created_at=NOW,
    )


def credited(amount: int, reversed: int, granted_by: UUID = PURCHASE) -> Credited:
    cause = ("PURCHASE", PURCHASE, granted_by)
    return Credited(
        *(BRAND, new_id(), MEMBER, "POINTS", amount, "EARN", None), *cause, None, False, reversed
    )


def taken_after(amount_fen: int, amount: int, parts: list[int]) -> list[int]:
    """What was taken in all of a reward after each part of a purchase came back, if the member
    always has enough."""
    returned = taken = 0
    totals = []
    for part in parts:
        given = plan_given(purchase(amount_fen, returned), [], ReturnRequest("R", "r", part))
        share = share_after(purchase(amount_fen, returned), given, [])
        wanted = wanted_back([credited(amount, taken)], share, unlimited, {MEMBER: BUYER})
        taken += sum(want.amount for want in wanted)
        returned += part
        totals.append(taken)
    return totals


def cut(amount_fen: int, sizes: list[int]) -> list[int]:
    """The sum in parts: as large as wished, as long as there is any left, and then the rest."""
    parts, left = [], amount_fen
    for size in sizes:
        part = min(size, left)
        if part:
            parts.append(part)
            left -= part
    return [*parts, left] if left else parts


@given(amount_fen=SUMS, amount=st.integers(1, 10**12), sizes=PARTS)
def test_parts_that_come_to_everything_take_back_everything(
    amount_fen: int, amount: int, sizes: list[int]
) -> None:
    totals = taken_after(amount_fen, amount, cut(amount_fen, sizes))
    assert totals[-1] == amount
    assert totals == sorted(totals)


@given(amount_fen=SUMS, amount=st.integers(1, 10**12), sizes=PARTS, data=st.data())
def test_the_order_of_returns_does_not_matter(
    amount_fen: int, amount: int, sizes: list[int], data: st.DataObject
) -> None:
    parts = cut(amount_fen, sizes)[:-1]
    if not parts:
        return
    other = data.draw(st.permutations(parts))
    assert taken_after(amount_fen, amount, parts)[-1] == taken_after(amount_fen, amount, other)[-1]


@given(amount_fen=SUMS, amount=st.integers(1, 10**12), part=SUMS)
def test_a_part_takes_its_share_and_less_than_one_more(
    amount_fen: int, amount: int, part: int
) -> None:
    part = min(part, amount_fen)
    [taken] = taken_after(amount_fen, amount, [part])
    assert 0 <= taken * amount_fen - amount * part < amount_fen


def lines_of(shape: list[tuple[int, int]]) -> list[PurchaseLine]:
    return [
        PurchaseLine(
            brand_id=BRAND,
            purchase_id=PURCHASE,
            line_no=no,
            sku="s",
            quantity=quantity,
            amount_fen=fen,
        )
        for no, (quantity, fen) in enumerate(shape, start=1)
    ]


def count(lines: list[PurchaseLine], given: Given) -> None:
    for part in given.lines:
        [line] = [line for line in lines if line.line_no == part.line_no]
        line.returned_quantity += part.quantity
        line.returned_fen += part.amount_fen


@given(shape=LINES, data=st.data())
def test_all_pieces_one_by_one_come_to_the_whole_amount(
    shape: list[tuple[int, int]], data: st.DataObject
) -> None:
    lines, returned = lines_of(shape), 0
    amount_fen = sum(fen for _, fen in shape)
    pieces = data.draw(
        st.permutations([no for no, (n, _) in enumerate(shape, start=1) for _ in range(n)])
    )
    was_last = False
    for line_no in pieces:
        if was_last:
            break  # what is left costs nothing
        request = ReturnRequest("R", "r", lines=(LineRequest(line_no, 1),))
        given = plan_given(purchase(amount_fen, returned), lines, request)
        count(lines, given)
        returned += given.amount_fen
        was_last = given.is_last
        assert given.left_fen == amount_fen - returned
    assert returned == amount_fen and was_last


@given(shape=LINES, part=st.integers(0, 40_000))
def test_the_rest_is_all_that_is_left_of_each_line_and_of_the_purchase(
    shape: list[tuple[int, int]], part: int
) -> None:
    lines, amount_fen = lines_of(shape), sum(fen for _, fen in shape)
    returned = min(part, max(0, amount_fen - 1))  # of no line
    given = plan_given(purchase(amount_fen, returned), lines, EVERYTHING)
    assert (given.amount_fen, given.left_fen) == (amount_fen - returned, 0)
    assert given.is_last
    assert sum(line.amount_fen for line in given.lines) == given.amount_fen
    count(lines, given)
    assert all(line.returned_quantity == line.quantity for line in lines)


def test_what_a_return_locked_anew_is_a_share_of_what_it_left() -> None:
    earlier = new_id()
    given = Given(250, (), 500, is_last=False)
    share = share_after(purchase(1_000, 250), given, [(earlier, 750)])
    assert share.keeps(10, PURCHASE) == 5
    assert share.keeps(7, earlier) == 4
    [want] = wanted_back([credited(7, 0, earlier)], share, unlimited, {MEMBER: BUYER})
    assert want.amount == 3


def test_the_content_of_a_return_is_what_it_asks_for() -> None:
    def content(*args: object) -> str:
        return ReturnRequest("R", "r", *args).content_hash(PURCHASE)  # type: ignore[arg-type]

    lines = (LineRequest(1, 1), LineRequest(2, None, 5))
    assert content(None, lines) == content(None, lines[::-1])
    others = [content(), content(5), content(6), content(None, lines), content(None, lines[:1])]
    assert len(set(others)) == len(others)
    assert ReturnRequest("S", "other").content_hash(PURCHASE) == content()
    assert ReturnRequest("R", "r").content_hash(MEMBER) != content()
