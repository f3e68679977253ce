"""Races of events; as ``scan_races.py``."""

from collections import Counter
from dataclasses import replace

from loyalty.actor import MemberRole, system_actor
from loyalty.ledger.models import Asset, Transfer
from rewards.campaigns.models import EventKind, OutcomeBasis
from rewards.campaigns.rules import CampaignDefinition, Outcome
from rewards.campaigns.service import publish_campaign
from rewards.draws.models import Draw
from rewards.events.models import EarningEvent
from tests.races.arena import Arena, Broken
from tests.races.coupon_races import with_points
from tests.races.draw_races import PIECES, draw_terms
from tests.races.stage import said
from tests.races.wire import release_at_once, request_bytes

CHECK_IN = """mutation Race($input: CheckInInput!) { checkIn(input: $input) { __typename
  ... on CheckInReceipt { alreadyCheckedIn event { id earned { amount } } }
  ... on Refused { code } } }"""
PEOPLE = 4
POINTS = 5
_DEFINITION = CampaignDefinition(
    code="check-in",
    name_zh="签到",
    name_en="Check-in",
    event=EventKind.CHECK_IN,
    outcomes=(Outcome(MemberRole.CONSUMER, Asset.POINTS, OutcomeBasis.FIXED, POINTS),),
)


async def a_day_is_checked_in_once(arena: Arena, size: int) -> Broken:
    """A few members check in, each many times at once, under keys of their own: each once."""
    broken = Broken()
    stage = await arena.stage("check-in").build()
    await stage.db.in_transaction(publish_campaign, system_actor(stage.brand_id), _DEFINITION)
    callers = await with_points(arena, stage, PEOPLE)
    requests = [
        request_bytes(
            callers[n % PEOPLE].token, CHECK_IN, {"input": {"idempotencyKey": f"check-in {n}"}}
        )
        for n in range(size)
    ]
    replies = [said(answer, "checkIn") for answer in await release_at_once(arena.ports, requests)]
    again = Counter(str(reply.get("alreadyCheckedIn", reply)) for reply in replies)
    wanted = Counter({"False": PEOPLE, "True": size - PEOPLE})
    broken.unless(again == wanted, f"each checks in once, not {dict(again)}")
    told = {str(reply.get("event")) for reply in replies}
    broken.unless(len(told) == PEOPLE, f"all of one are told the same, not {len(told)} things")
    events = await stage.rows(EarningEvent)
    broken.unless(len(events) == PEOPLE, f"{len(events)} events")
    paid = [t.amount for t in await stage.rows(Transfer) if t.cause_kind == "EVENT"]
    broken.unless(paid == [POINTS] * PEOPLE, f"paid {paid}")
    return broken


async def the_last_piece_of_a_prize_is_drawn_once_by_events(arena: Arena, size: int) -> Broken:
    """Everybody checks in once and draws a prize at its stock's end: as many get it as there are,
    by ordinals of their own, whichever server they asked."""
    broken = Broken()
    stage = await arena.stage("drawn-check-in").build()
    definition = replace(_DEFINITION, outcomes=(), draw=draw_terms(PIECES, None))
    actor = system_actor(stage.brand_id)
    await stage.db.in_transaction(publish_campaign, actor, definition, stage.keyring)
    callers = await with_points(arena, stage, size)
    requests = [
        request_bytes(caller.token, CHECK_IN, {"input": {"idempotencyKey": f"lucky {n}"}})
        for n, caller in enumerate(callers)
    ]
    replies = [said(answer, "checkIn") for answer in await release_at_once(arena.ports, requests)]
    done = Counter(str(reply.get("alreadyCheckedIn", reply)) for reply in replies)
    broken.unless(done == Counter({"False": size}), f"each checks in, not {dict(done)}")
    draws = await stage.rows(Draw)
    given = Counter(draw.given_prize for draw in draws)
    wanted = Counter({"CAR": PIECES, "THANKS": size - PIECES})
    broken.unless(given == wanted, f"{PIECES} cars are given, not {dict(given)}")
    ordinals = sorted(draw.ordinal or 0 for draw in draws if draw.given_prize == "CAR")
    broken.unless(ordinals == list(range(1, PIECES + 1)), f"each piece once, not {ordinals}")
    return broken
