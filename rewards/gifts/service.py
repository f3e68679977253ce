"""Verbs of gifts: giving what levels grant, each once."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import groupby
from uuid import UUID

from loyalty import outbox
from loyalty.actor import ActorKind, system_actor
from loyalty.assets.models import AssetStatus
from loyalty.assets.service import assets_by_code, require_asset
from loyalty.brands.models import Brand
from loyalty.brands.service import get_brand, list_brands
from loyalty.clock import day_start, first_id_at, local_date
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import MemberClosed
from loyalty.ids import new_id
from loyalty.ledger import service as ledger
from loyalty.ledger.rules import AccountState, Book, Cause
from loyalty.members.service import require_unmerged
from rewards.coupons import service as coupons
from rewards.coupons.models import CouponCause
from rewards.coupons.rules import ISSUED_TOPIC, CouponIssue, issued_payload
from rewards.gifts import queries
from rewards.gifts.models import GiftStatus
from rewards.gifts.rules import (
    GiftDue,
    PlannedGift,
    anniversaries_on,
    birthdays_on,
    occasion_of_year,
    plan_gifts,
)
from tiers.ladders.rules import LadderView, Level
from tiers.ladders.service import current_ladders
from tiers.privileges.rules import Privilege, PrivilegeKind, live

CAUSE = "GIFT"


async def require_gifts(snapshot: Snapshot, brand_id: UUID, levels: Iterable[Level]) -> None:
    """Refuses NotFound (coupon template, asset) unless the brand has what its levels would give."""
    gifts = [privilege for level in levels for privilege in level.privileges]
    templates = {each.coupon_template_id for each in gifts if each.coupon_template_id is not None}
    await coupons.require_templates(snapshot, brand_id, sorted(templates))
    for asset in sorted({each.asset for each in gifts if each.asset is not None}):
        await require_asset(snapshot, brand_id, asset)


async def give_gifts(tx: Tx, dues: Iterable[GiftDue]) -> int:
    """Give what is due and was not given before; how many were, UNAVAILABLE ones among them.

    Of members that are not active nothing is given or noted. A constant number of statements a
    brand. RetryTransaction when another process gave one of them first, or took the last coupon.
    """
    count = 0
    by_brand = sorted(dues, key=lambda due: due.key)
    for brand_id, group in groupby(by_brand, key=lambda due: due.brand_id):
        count += await _give_in_brand(tx, await get_brand(tx, brand_id), list(group))
    return count


async def _give_in_brand(tx: Tx, brand: Brand, dues: Sequence[GiftDue]) -> int:
    on = local_date(tx.now, brand.timezone)
    given = {tuple(row) for row in await tx.fetch(queries.FIND_GIFTS, keys=[d.key for d in dues])}
    members = sorted({(due.brand_id, due.member_id) for due in dues})
    active = {row[1] for row in await tx.fetch(queries.FIND_ACTIVE, members=members)}
    wanted = {due.key: due for due in dues if due.key not in given and due.member_id in active}
    if not wanted:
        return 0
    templates = await coupons.templates_by_id(
        tx,
        brand.id,
        {id for due in wanted.values() if (id := due.privilege.coupon_template_id) is not None},
    )
    stock = await coupons.find_stock(tx, [(brand.id, id) for id in templates])
    assets = await assets_by_code(tx, brand.id)
    planned = plan_gifts(
        wanted.values(),
        templates,
        {template_id: left for (_, template_id), left in stock.items()},
        frozenset(code for code, asset in assets.items() if asset.status == AssetStatus.ACTIVE),
        on,
    )
    ids = {gift.due.key: new_id() for gift in planned}
    rows = [_row(gift, ids[gift.due.key], tx) for gift in planned]
    if len(await tx.fetch(queries.INSERT_GIFTS, rows=rows)) != len(rows):
        raise RetryTransaction
    real = [gift for gift in planned if gift.status is GiftStatus.GIVEN]
    credits = [gift for gift in real if gift.dates is None]
    issues = [gift for gift in real if gift.dates is not None]
    try:
        book = await _credit(tx, brand, credits, ids, on)
        await require_unmerged(tx, {(brand.id, gift.due.member_id) for gift in issues})
    except MemberClosed as late:
        raise RetryTransaction from late  # merged into another since it was looked up
    await ledger.write_members_side(tx, book)
    await _issue(tx, brand, issues, ids)
    await ledger.write_brands_side(tx, book)
    return len(planned)


def _row(gift: PlannedGift, id: UUID, tx: Tx) -> tuple[object, ...]:
    due = gift.due
    return (
        due.brand_id,
        id,
        due.member_id,
        due.privilege.code,
        due.occasion,
        gift.status.value,
        due.privilege.coupon_template_id,
        due.privilege.asset,
        due.privilege.amount,
        tx.now,
    )


async def _credit(
    tx: Tx,
    brand: Brand,
    gifts: Sequence[PlannedGift],
    ids: dict[tuple[UUID, UUID, str, str], UUID],
    on: date,
) -> Book:
    """Amounts of assets, into a book that the caller writes."""
    book = Book(new_id)
    if not gifts:
        return book
    system = system_actor(brand.id)
    members = [(brand.id, gift.due.member_id) for gift in gifts]
    has, owes = await ledger.lock_accounts_and_debts(tx, members)
    issuance = await ledger.issuance_accounts(tx, [brand.id])
    assets = await assets_by_code(tx, brand.id)
    for gift in gifts:
        privilege = gift.due.privilege
        asset, amount = privilege.asset or "", privilege.amount or 0
        key = (brand.id, gift.due.member_id, asset)
        account = has.setdefault(
            key, AccountState(brand.id, new_id(), gift.due.member_id, asset, is_new=True)
        )
        until = assets[asset].expiry.last_day(on)
        if assets[asset].expiry.is_extended and not account.is_new:
            book.extend(account, on, until)
        cause = Cause(
            CAUSE,
            ids[gift.due.key],
            ActorKind.SYSTEM.value,
            system.id,
            privilege.kind.value,
            tx.now,
        )
        book.credit(
            issuance[brand.id, brand.id, asset],
            account,
            amount,
            cause,
            campaign_id=None,
            expires_on=until,
            owed=owes.get(key),
        )
    return book


async def _issue(
    tx: Tx,
    brand: Brand,
    gifts: Sequence[PlannedGift],
    ids: dict[tuple[UUID, UUID, str, str], UUID],
) -> None:
    issues = []
    moves: dict[tuple[UUID, UUID], int] = {}
    for gift in gifts:
        template_id = gift.due.privilege.coupon_template_id
        if template_id is None or gift.dates is None:
            continue
        issues.append(
            CouponIssue(
                brand.id,
                new_id(),
                template_id,
                gift.due.member_id,
                coupons.new_code(),
                CouponCause.GIFT,
                ids[gift.due.key],
                *gift.dates,
            )
        )
        moves[brand.id, template_id] = moves.get((brand.id, template_id), 0) + 1
    if not issues:
        return
    await coupons.write_coupons(tx, issues)
    facts = [
        outbox.Fact(brand.id, ISSUED_TOPIC, issue.member_id, issued_payload(issue), tx.now)
        for issue in issues
    ]
    await outbox.emit(tx, facts)
    await coupons.take_stock(tx, moves)


async def give_days_gifts(tx: Tx, limit: int) -> int:
    """Give up to ``limit`` birthday and anniversary gifts of this day where each brand is; how
    many it were. Whoever has had theirs is passed over, so this resumes by itself."""
    count = 0
    for brand in sorted(await list_brands(tx), key=lambda brand: brand.id):
        on = local_date(tx.now, brand.timezone)
        for ladder in (await current_ladders(tx, brand.id)).values():
            for kind in (PrivilegeKind.BIRTHDAY_GIFT, PrivilegeKind.ANNIVERSARY_GIFT):
                for privilege, ranks in _granted(ladder, kind, on):
                    if count < limit:
                        count += await _give_on_day(
                            tx, brand, ladder.role, privilege, ranks, on, limit - count
                        )
    return count


def _granted(
    ladder: LadderView, kind: PrivilegeKind, on: date
) -> list[tuple[Privilege, list[int]]]:
    """Privileges of a kind with the ranks that grant just that."""
    ranks: dict[Privilege, list[int]] = {}
    for level in ladder.levels:
        for privilege in live(level.privileges, kind, on):
            ranks.setdefault(privilege, []).append(level.rank)
    return list(ranks.items())


async def _give_on_day(
    tx: Tx,
    brand: Brand,
    role: str,
    privilege: Privilege,
    ranks: Sequence[int],
    on: date,
    limit: int,
) -> int:
    occasion = occasion_of_year(privilege.kind.value, on)
    values = {
        "ranks": [(rank,) for rank in ranks],
        "brand_id": brand.id,
        "role": role,
        "code": privilege.code,
        "occasion": occasion,
        "row_count_max": limit,
    }
    if privilege.kind is PrivilegeKind.BIRTHDAY_GIFT:
        days = [(day,) for day in birthdays_on(on)]
        found = await tx.fetch(queries.FIND_BIRTHDAYS, days=days, **values)
    else:
        ranges = [_ids_of(day, brand.timezone) for day in anniversaries_on(on)]
        found = await tx.fetch(queries.FIND_ANNIVERSARIES, days=ranges, **values)
    return await give_gifts(tx, [GiftDue(brand.id, row[0], privilege, occasion) for row in found])


def _ids_of(day: date, timezone: str) -> tuple[UUID, UUID]:
    """The ids that were made on a local day: the first, and the first after it."""
    following = date.fromordinal(day.toordinal() + 1)
    return first_id_at(day_start(day, timezone)), first_id_at(day_start(following, timezone))
