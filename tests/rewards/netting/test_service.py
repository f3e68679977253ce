"""Runs over several brands: proposed, approved by all, posted at once; or ended."""

import asyncio
from itertools import combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty.errors import InvalidInput, NettingOpen, NettingStateWrong, NotFound
from loyalty.ids import new_id
from rewards.clearing.models import EntryKind
from rewards.netting.models import NettingRun
from tests.rewards.netting.rings import SIZE, Ring


async def chained(ring: Ring) -> NettingRun:
    """0 owes 1 owes 2 owes 3, and nothing more: 0 may pay 3 at once."""
    for n in range(3):
        await ring.owe(n, n + 1, 700)
    return await ring.propose(0, 1, 2, 3)


async def test_who_is_last_to_approve_posts_the_run(ring: Ring) -> None:
    run = await chained(ring)
    assert (run.status, run.is_ours, run.net_fen) == ("PROPOSED", True, 700)
    nets = await ring.nets()
    for n in (3, 1, 0):
        assert (await ring.approve(n, run.id)).status == "PROPOSED"
    assert await ring.entries(run.id) == []
    assert (await ring.approve(2, run.id)).status == "POSTED"
    assert await ring.owed() == {(0, 3): 700, (3, 0): -700}
    assert await ring.nets() == nets
    entries = await ring.entries(run.id)
    assert {entry.kind for entry in entries} == {EntryKind.NETTING.value}
    assert len(entries) == 8
    assert {entry.statement_id for entry in entries} == {None}
    assert [(await ring.run(n, run.id)).status for n in range(4)] == ["POSTED"] * 4
    told = await ring.told(run.id)
    assert set(told) == {"netting.proposed", "netting.posted"}
    assert told["netting.posted"] == {
        0: {"net_fen": 700, "by_partner": True},
        1: {"net_fen": 0, "by_partner": True},
        2: {"net_fen": 0, "by_partner": False},
        3: {"net_fen": -700, "by_partner": True},
    }
    assert await ring.broken() == {}


async def test_each_brand_has_its_own_legs_alone(ring: Ring) -> None:
    run = await chained(ring)
    seen = [
        {ring.ids.index(leg.partner_id): (leg.owed_fen, leg.pays_fen) for leg in legs}
        for legs in [await ring.legs(n, run.id) for n in range(SIZE)]
    ]
    assert seen == [
        {1: (700, 0), 3: (0, 700)},
        {0: (-700, 0), 2: (700, 0)},
        {1: (-700, 0), 3: (700, 0)},
        {2: (-700, 0), 0: (0, -700)},
        {},
    ]
    with pytest.raises(NotFound):
        await ring.approve(4, run.id, 0)


async def test_what_came_to_be_owed_since_stays_owed(ring: Ring) -> None:
    run = await chained(ring)
    await ring.owe(1, 2, 55)
    await ring.owe(1, 0, 1_000)
    await ring.approve_all(run.id, 0, 1, 2, 3)
    owed = {key: fen for key, fen in (await ring.owed()).items() if fen > 0}
    assert owed == {(0, 3): 700, (1, 2): 55, (1, 0): 1_000}
    assert await ring.broken() == {}


async def test_a_circle_is_gone(ring: Ring) -> None:
    for n in range(SIZE):
        await ring.owe(n, (n + 1) % SIZE, 300)
    run = await ring.propose(2, 0, 1, 3, 4)
    assert run.net_fen == 0
    await ring.approve_all(run.id, *range(SIZE))
    assert await ring.owed() == {}
    assert await ring.broken() == {}


async def test_who_may_be_in_a_run(ring: Ring) -> None:
    for n in range(3):
        await ring.owe(n, n + 1, 700)
    with pytest.raises(NotFound):
        await ring.propose(0, 1, 2, 4)  # 4 owes nobody anything
    with pytest.raises(NotFound):
        await ring.propose(0, 1, 3)  # 3 owes neither
    with pytest.raises(NotFound):
        await ring.propose(4, 1, 2)  # these do not owe 4
    for others in ((1,), (0, 1, 2), (1, 1, 2)):
        with pytest.raises(InvalidInput):
            await ring.propose(0, *others)


async def test_what_cannot_be_netted_further_is_no_run(ring: Ring) -> None:
    await ring.owe(0, 1, 10)
    await ring.owe(0, 4, 10)
    with pytest.raises(InvalidInput):
        await ring.propose(0, 1, 4)


async def test_a_pair_is_in_one_open_run(ring: Ring) -> None:
    run = await chained(ring)
    with pytest.raises(NettingOpen):
        await ring.propose(1, 0, 2)
    await ring.decline(3, run.id)
    again = await ring.propose(1, 0, 2)
    assert again.net_fen == 0
    await ring.approve_all(again.id, 0, 1, 2)
    assert {key for key, fen in (await ring.owed()).items() if fen > 0} == {(0, 2), (2, 3)}
    assert await ring.broken() == {}


async def test_each_brand_approves_what_it_has_read(ring: Ring) -> None:
    run = await chained(ring)
    with pytest.raises(InvalidInput):
        await ring.approve(3, run.id, 700)
    first = await ring.approve(3, run.id, -700)
    again = await ring.approve(3, run.id, -700)
    assert again.approved_at == first.approved_at
    await ring.approve_all(run.id, 0, 1, 2)
    assert (await ring.approve(3, run.id)).status == "POSTED"
    assert len(await ring.entries(run.id)) == 8


async def test_any_declines_and_who_proposed_withdraws(ring: Ring) -> None:
    run = await chained(ring)
    await ring.approve(1, run.id)
    declined = await ring.decline(1, run.id, "we are paid otherwise")
    assert (declined.status, declined.reason) == ("DECLINED", "we are paid otherwise")
    assert (await ring.run(3, run.id)).reason == "we are paid otherwise"
    for late in (ring.approve(1, run.id), ring.decline(0, run.id), ring.withdraw(0, run.id)):
        with pytest.raises(NettingStateWrong):
            await late
    other = await ring.propose(1, 0, 2)
    with pytest.raises(NettingStateWrong):
        await ring.withdraw(0, other.id)
    assert (await ring.withdraw(1, other.id)).status == "WITHDRAWN"
    with pytest.raises(NettingStateWrong):
        await ring.approve(0, other.id)
    assert set(await ring.told(other.id)) == {"netting.proposed", "netting.withdrawn"}
    for stranger in (ring.decline(4, run.id), ring.withdraw(4, run.id), ring.withdraw(0, new_id())):
        with pytest.raises(NotFound):
            await stranger
    assert await ring.broken() == {}


async def test_all_approve_at_once(ring: Ring) -> None:
    run = await chained(ring)
    ended = await asyncio.gather(*(ring.approve(n, run.id) for n in range(4)))
    assert [each.status for each in ended].count("POSTED") >= 1
    assert (await ring.run(0, run.id)).status == "POSTED"
    assert len(await ring.entries(run.id)) == 8
    assert await ring.broken() == {}


OWED = st.lists(st.integers(-500, 500), min_size=10, max_size=10)
"""Of each pair."""


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=OWED, meanwhile=OWED)
async def test_nets_stay_whatever_is_owed(
    ring: Ring, before: list[int], meanwhile: list[int]
) -> None:
    """Each example goes on from where the last one left off."""
    pairs = list(combinations(range(SIZE), 2))
    for one, other in pairs:
        await ring.open(one, other)
    for (one, other), fen in zip(pairs, before, strict=True):
        await ring.owe(one, other, fen)
    try:
        run = await ring.propose(0, *range(1, SIZE))
    except (NotFound, InvalidInput):
        return  # somebody is even with all, or there is nothing to net
    legs = [await ring.legs(n, run.id) for n in range(SIZE)]
    assert sum(leg.pays_fen > 0 for own in legs for leg in own) <= SIZE - 1
    for (one, other), fen in zip(pairs, meanwhile, strict=True):
        await ring.owe(one, other, fen)
    nets = await ring.nets()
    await ring.approve_all(run.id, *range(SIZE))
    assert await ring.nets() == nets
    moved = dict(zip(pairs, meanwhile, strict=True))
    owed = await ring.owed()
    pays = {
        (n, ring.ids.index(leg.partner_id)): leg.pays_fen
        for n, own in enumerate(legs)
        for leg in own
    }
    for pair in pairs:
        assert owed.get(pair, 0) == moved[pair] + pays.get(pair, 0)
    assert await ring.broken() == {}
