"""What of an input is the body that a key is kept for."""

from datetime import UTC, datetime

from strawberry import ID

from graphql_schema.effects import body_of
from graphql_schema.purchases import PurchaseLineInput, RecordPurchaseInput
from graphql_schema.scalars import BigInt
from rewards.purchases.models import PurchaseSource

AT = datetime(2026, 11, 9, tzinfo=UTC)


def bought(place_id: ID | None = None) -> RecordPurchaseInput:
    return RecordPurchaseInput(
        idempotency_key=ID("key"),
        purchase_ref="till-1",
        occurred_at=AT,
        amount_fen=BigInt(500),
        quantity=BigInt(1),
        source=PurchaseSource.TILL,
        phone="13800138001",
        lines=[PurchaseLineInput(line_no=1, quantity=BigInt(1), amount_fen=BigInt(500))],
        place_id=place_id,
    )


def test_a_field_that_came_later_is_no_part_of_a_body_that_does_not_name_it() -> None:
    before = body_of("recordPurchase", bought())
    assert "place_id" not in before and "idempotency_key" not in before
    assert (before["currency"], before["lines"][0]["sku"]) == (None, None), "what was there stays"
    assert body_of("recordPurchase", bought(ID("p"))) == before | {"place_id": "p"}


def test_of_other_operations_the_whole_input_is() -> None:
    assert body_of("other", bought())["place_id"] is None
