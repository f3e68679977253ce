"""Wrong draws: invariants 6 and 8."""

from datetime import date, timedelta
from typing import Any

from loyalty.ids import new_id
from rewards.campaigns.models import CampaignVersion, CapCounter
from rewards.draws.models import Draw, DrawSeed
from tests.loyalty.ledger.audited_brand import AuditedBrand
from tests.loyalty.ledger.audited_draws import CUP, DRAW, DRAWN_AT
from tests.loyalty.ledger.corruptions import (
    Corruption,
    add,
    change,
    remove,
    repeat,
    the_counter,
)

_ONCE = "a paid event draws once for each whom it pays and who draws, and no other does"
_OF_ITS_SCAN = "a draw is of its event's member, claim, version and moment"
_SEED = "a draw is by a seed whose hash was known before"
_COUNTED = "a prize's counters say how many were given"
_PIECES = "each piece of a prize is given once, and there are no more than its stock and quota"
_OF_STAGES = "what a stage has given is counted, and within its budget"
_NUMBERED = "a member's draws are numbered as they were counted"
_CREDITS = "a paid scan has exactly its consumer credit and its guide credit"


def _second(b: AuditedBrand) -> dict[str, Any]:
    return {"brand_id": b.id, "id": b.draws[1]}


OF_DRAWS = (
    Corruption(
        "a draw that left no receipt",
        6,
        lambda b, _: [remove(Draw, **_second(b))],
        (_ONCE, _COUNTED, _OF_STAGES, _NUMBERED, _CREDITS),
    ),
    Corruption(
        "a draw twice",
        6,
        lambda b, _: [
            repeat(
                Draw,
                _second(b),
                id=new_id(),
                given_prize=None,
                ordinal=None,
                day_ordinal=None,
                member_draw_no=None,
                asset=None,
                amount=None,
            )
        ],
        (_ONCE,),
        tables=("draws",),
    ),
    Corruption(
        "a draw for another item",
        6,
        lambda b, _: [change(Draw, _second(b), claim="1:REWARD:CONSUMER")],
        (_OF_ITS_SCAN,),
    ),
    Corruption(
        "a draw of a prize for which nothing was given",
        6,
        lambda b, _: [change(Draw, _second(b), amount=CUP + 1)],
        (_CREDITS, _OF_STAGES),
    ),
    Corruption(
        "a draw by a seed of its own",
        6,
        lambda b, _: [change(Draw, _second(b), seed_hash="x")],
        (_SEED,),
    ),
    Corruption(
        "a day whose seed was made after its draws",
        6,
        lambda b, _: [
            change(DrawSeed, {"brand_id": b.id}, made_at=DRAWN_AT + timedelta(seconds=1))
        ],
        (_SEED,),
    ),
    Corruption(
        "a prize's counter set back",
        8,
        lambda b, _: [add(CapCounter, the_counter(b, "PRIZE", "TEA"), "used", -1)],
        (_COUNTED,),
    ),
    Corruption(
        "a prize's counter above its limit",
        8,
        lambda b, _: [change(CapCounter, the_counter(b, "PRIZE", "TEA"), times_max=1)],
        ("a cap is never exceeded",),
        tables=("cap_counters",),
    ),
    Corruption(
        "what a stage has given set back",
        8,
        lambda b, _: [add(CapCounter, the_counter(b, "STAGE", "0:POINTS"), "used", -CUP)],
        (_OF_STAGES,),
    ),
    Corruption(
        "a piece of a prize given twice",
        8,
        lambda b, _: [change(Draw, _second(b), ordinal=1)],
        (_PIECES,),
    ),
    Corruption(
        "a piece given twice in a day",
        8,
        lambda b, _: [change(Draw, _second(b), day_ordinal=1)],
        (_PIECES,),
    ),
    Corruption(
        "a piece that there never was",
        8,
        lambda b, _: [change(Draw, _second(b), ordinal=6)],
        (_PIECES,),
    ),
    Corruption(
        "a prize that its version does not have",
        8,
        lambda b, _: [
            change(
                CampaignVersion,
                {"brand_id": b.id, "id": b.draws_version},
                draw=DRAW | {"prizes": [DRAW["prizes"][0] | {"code": "COFFEE"}]},
            )
        ],
        (_PIECES,),
    ),
    Corruption(
        "a prize given on a day that has no counter",
        8,
        lambda b, _: [
            change(
                CapCounter,
                the_counter(b, "PRIZE", "TEA") | {"window_key": "2026-11-02"},
                window_key=date(2026, 11, 3).isoformat(),
            )
        ],
        (_COUNTED,),
    ),
    Corruption(
        "a member's draws numbered alike",
        8,
        lambda b, _: [change(Draw, _second(b), member_draw_no=1)],
        (_NUMBERED,),
    ),
)
