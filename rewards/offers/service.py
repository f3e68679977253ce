"""The verbs of offers: making and changing them, counting what of them is taken.

Limits of a member are counted on rows of its own; the stock on rows that everybody wants, last of
all. Whoever waited there for another buyer, and finds that there is none left, is told so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor
from loyalty.assets.service import assets_by_code
from loyalty.db import Snapshot, StatementMismatch, Tx
from loyalty.errors import (
    AlreadyExists,
    MemberLimitReached,
    NotForSale,
    NotFound,
    OutOfStock,
    StockBelowTaken,
)
from loyalty.members.models import Member
from rewards.coupons.service import require_templates
from rewards.offers import queries
from rewards.offers.models import LimitWindow, Offer, OfferStatus
from rewards.offers.queries import get_offer
from rewards.offers.rules import NO_PRIVILEGES, Privileges, window_keys
from rewards.offers.terms import (
    OfferGives,
    OfferTerms,
    assets_named,
    check_code,
    check_gives,
    check_terms,
    gives_of,
    stored_terms,
)
from tiers.ladders.rules import LadderView
from tiers.ladders.service import current_ladders
from tiers.privileges.rules import Privilege, offer_privileges
from tiers.privileges.service import first_with_something_left
from tiers.standings.service import rank_on

# Other nouns may call this service and never the queries: the last one is the read they need.
__all__ = [
    "count_times",
    "Buyer",
    "create_offer",
    "find_buyer",
    "find_newcomer",
    "give_back_stock",
    "give_back_times",
    "take_stock",
    "update_offer",
    "get_offer",
]


async def create_offer(
    tx: Tx, actor: Actor, code: str, gives: OfferGives, terms: OfferTerms
) -> Offer:
    """A new offer of the actor's brand, on sale as its terms say.

    Refuses InvalidInput (with the field's path), NotFound (asset, coupon template), AlreadyExists
    (code).
    """
    check_gives(gives)
    check_terms(terms, gives)
    await _require_assets(tx, actor.brand_id, gives, terms)
    if gives.template_id is not None:
        await require_templates(tx, actor.brand_id, [gives.template_id])
    offer = Offer(
        brand_id=actor.brand_id,
        code=check_code(code),
        kind=gives.kind.value,
        template_id=gives.template_id,
        given_asset=gives.asset,
        given_amount=gives.amount,
        created_at=tx.now,
        **stored_terms(terms),
    )
    if not await tx.insert_if_absent(offer):
        raise AlreadyExists(noun="offer", field="code")
    await audit_log.record(tx, actor, "offer.create", offer.id, code=offer.code)
    return offer


async def update_offer(
    tx: Tx, actor: Actor, offer_id: UUID, terms: OfferTerms, status: OfferStatus
) -> Offer:
    """Set all terms of an offer and its status. Orders that were placed stay as they are.

    Refuses InvalidInput (with the field's path), NotFound (offer, asset), StockBelowTaken.
    """
    offer = await get_offer(tx, actor.brand_id, offer_id)
    gives = gives_of(offer)
    check_terms(terms, gives)
    await _require_assets(tx, actor.brand_id, gives, terms)
    values = stored_terms(terms) | {"status": status.value}
    if not await queries.change_offer(tx, actor.brand_id, offer_id, values):
        taken = (await get_offer(tx, actor.brand_id, offer_id)).taken
        raise StockBelowTaken(taken=taken)
    await audit_log.record(
        tx,
        actor,
        "offer.update",
        offer_id,
        prices=values["prices"],
        stock_max=terms.stock_max,
        status=status.value,
    )
    return await get_offer(tx, actor.brand_id, offer_id)


async def _require_assets(tx: Tx, brand_id: UUID, gives: OfferGives, terms: OfferTerms) -> None:
    if assets_named(gives, terms) - set(await assets_by_code(tx, brand_id)):
        raise NotFound(noun="asset")


# --- who takes them ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Buyer:
    """What a member is to the mall on a day. ``waiver`` is the privilege that it would use up one
    use of, where a fee is waived; ``ladder`` is of its role."""

    rank: int = 0
    privileges: Privileges = NO_PRIVILEGES
    waiver: Privilege | None = None
    ladder: LadderView | None = None


async def find_newcomer(snapshot: Snapshot, brand_id: UUID, role: str) -> Buyer:
    """Whoever is not a member yet, and would be one in this role."""
    return Buyer(ladder=(await current_ladders(snapshot, brand_id)).get(role))


async def find_buyer(snapshot: Snapshot, member: Member, today: date) -> Buyer:
    """A member's rank, and what its level grants in the mall on a local day."""
    rank = await rank_on(snapshot, member.brand_id, member.id, today)
    ladder = (await current_ladders(snapshot, member.brand_id)).get(member.role)
    if ladder is None:
        return Buyer(rank)
    granted = offer_privileges(ladder.level(rank).privileges, today)
    waiver = await first_with_something_left(
        snapshot, member.brand_id, member.id, granted.fee_waivers, today
    )
    privileges = Privileges(
        granted.offer_codes, granted.early_hours, granted.more_times, waiver is not None
    )
    return Buyer(rank, privileges, waiver, ladder)


# --- what of them is taken ---------------------------------------------------------------------


async def count_times(
    tx: Tx,
    offer: Offer,
    member_id: UUID,
    day: date,
    quantity: int,
    limits: Mapping[LimitWindow, int],
) -> None:
    """Count pieces that a member takes on a local day, within its limits: MemberLimitReached says
    which one it would pass."""
    keys = window_keys(day)
    rows = [(key, quantity, limits.get(window)) for window, key in keys.items()]
    counted = await queries.count_times(tx, offer, member_id, rows)
    for window, key in keys.items():
        if key not in counted:
            raise MemberLimitReached(times_max=limits[window], window=window.value)


async def give_back_times(tx: Tx, offer: Offer, member_id: UUID, day: date, quantity: int) -> None:
    """Count pieces no more that a member took on a day."""
    keys = window_keys(day).values()
    if await queries.give_back_times(tx, offer, member_id, keys, quantity) != len(keys):
        raise StatementMismatch("what is given back was not counted in its member's limits")


async def take_stock(tx: Tx, offer: Offer, day: date, quantity: int) -> None:
    """Count pieces as taken on a local day, after everything else: hot rows. Refuses OutOfStock,
    and NotForSale of an offer that was paused in this moment."""
    if not await queries.take_stock(tx, offer, quantity):
        now = await get_offer(tx, offer.brand_id, offer.id)
        raise OutOfStock() if now.status == OfferStatus.ACTIVE else NotForSale()
    if not await queries.take_day_stock(tx, offer, day, quantity):
        raise OutOfStock()


async def give_back_stock(tx: Tx, offer: Offer, day: date, quantity: int) -> None:
    """Count pieces no more that were taken on a day."""
    given = await queries.take_stock(tx, offer, -quantity)
    if not given or not await queries.give_back_day_stock(tx, offer, day, quantity):
        raise StatementMismatch("what is given back was not counted in its offer's stock")
