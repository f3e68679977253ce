"""What both sides are told of clearing: each its own figures, and who did it."""

from typing import Any
from uuid import UUID

from loyalty.webhooks.catalogue import body_of
from rewards.clearing import statements
from tests.rewards.clearing.pairs import Alliance
from tests.rewards.clearing.test_statements import Clerks


async def told(alliance: Alliance, topic: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Of each subject what the two brands read, a's first."""
    found: dict[UUID, dict[UUID, dict[str, Any]]] = {}
    for fact in await alliance.facts(topic):
        body = body_of(topic, fact.id, fact.subject_id, fact.created_at, fact.payload)
        of_one = found.setdefault(fact.subject_id, {})
        assert fact.brand_id not in of_one, "told twice"
        of_one[fact.brand_id] = body["data"]
    for sides in found.values():
        assert sides.keys() == {alliance.a, alliance.b}, "and nobody else"
        assert sides[alliance.a]["partner_slug"] != sides[alliance.b]["partner_slug"]
    return [(sides[alliance.a], sides[alliance.b]) for _, sides in sorted(found.items())]


async def test_a_statement_is_told_when_it_is_drawn_and_when_it_is_confirmed(
    alliance: Alliance,
) -> None:
    clerks = Clerks(alliance)
    await clerks.owe(500)
    assert await told(alliance, "statement.drawn") == []
    await clerks.draw()
    [(ours, theirs)] = await told(alliance, "statement.drawn")
    assert (ours["opening_fen"], ours["closing_fen"], theirs["closing_fen"]) == (0, 500, -500)
    assert (ours["number"], ours["entry_count"]) == (1, 1)
    assert ours["starts_at"] < ours["ends_at"]
    id = (await clerks.last()).id
    await clerks.confirm(clerks.b, id, -500)
    await clerks.confirm(clerks.b, id, -500)  # is nothing more
    [(ours, theirs)] = await told(alliance, "statement.confirmed")
    assert (ours["by_partner"], ours["closing_fen"], ours["frozen"]) == (True, 500, False)
    assert (theirs["by_partner"], theirs["closing_fen"], theirs["frozen"]) == (False, -500, False)
    await clerks.confirm(clerks.a, id, 500)
    facts = await alliance.facts("statement.confirmed")
    assert sorted(fact.payload["frozen"] for fact in facts) == [False, False, True, True]


async def test_an_adjustment_is_told_when_it_is_proposed_and_decided(alliance: Alliance) -> None:
    clerks = Clerks(alliance)
    id = await clerks.propose(clerks.a, 30)
    [(ours, theirs)] = await told(alliance, "adjustment.proposed")
    assert (ours["by_partner"], ours["owed_fen"]) == (False, 30)
    assert (theirs["by_partner"], theirs["owed_fen"]) == (True, -30)
    await clerks.decide(clerks.b, id)
    [(ours, theirs)] = await told(alliance, "adjustment.decided")
    assert (ours["by_partner"], ours["owed_fen"], ours["status"]) == (True, 30, "ACCEPTED")
    assert theirs["owed_fen"] == -30
    assert theirs["entry_id"] == ours["entry_id"] is not None
    other = await clerks.propose(clerks.a, 9)
    await clerks.decide(clerks.a, other, accept=False)
    [_, (ours, _)] = await told(alliance, "adjustment.decided")
    assert (ours["status"], ours["entry_id"], ours["by_partner"]) == ("WITHDRAWN", None, False)


async def test_money_that_came_is_told_to_who_paid_it(alliance: Alliance) -> None:
    clerks = Clerks(alliance)
    await clerks.db.in_transaction(
        statements.record_payment, clerks.b, clerks.a.brand_id, 700, "bank 17"
    )
    [(ours, theirs)] = await told(alliance, "payment.recorded")
    assert (ours["by_partner"], ours["owed_fen"]) == (True, -700)
    assert (theirs["by_partner"], theirs["owed_fen"]) == (False, 700)
