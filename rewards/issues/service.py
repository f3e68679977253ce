"""The verbs of partners that issue a host's coupons: to members whom they know by tokens alone.

Funds are reserved for what a coupon may come to cost its issuer, and released when it ends unused.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from loyalty import outbox
from loyalty.actor import Actor
from loyalty.brands.service import get_brand
from loyalty.clock import local_date
from loyalty.db import RetryTransaction, Snapshot, StatementMismatch, Tx
from loyalty.errors import InvalidInput, MemberClosed, MemberUnknown, NotFound, Refusal
from loyalty.ids import new_id
from loyalty.members.service import require_unmerged
from loyalty.text import checked_text
from rewards.alliances.rules import InForce, in_version
from rewards.alliances.service import reserve_fen, terms_to_issue
from rewards.alliances.terms import CAMPAIGN_LENGTH_MAX
from rewards.clearing import service as clearing
from rewards.clearing.service import Due, EntryKind
from rewards.coupons import service as coupons
from rewards.coupons.models import Coupon, CouponCause, CouponTemplate
from rewards.coupons.rules import ISSUED_TOPIC, CouponIssue, issued_payload, usable_dates
from rewards.coupons.service import get_template, new_code, write_coupons
from rewards.issues import queries
from rewards.issues.models import PartnerIssue
from rewards.issues.rules import (
    REFERENCE_LENGTH_MAX,
    Room,
    admit,
    limit_of,
    quotas_of,
    starts_on,
)
from rewards.matching.rules import is_token
from rewards.matching.service import find_members


@dataclass(frozen=True, slots=True)
class Wanted:
    """A coupon for whoever has a token; ``reference`` is the issuer's own word for it."""

    token: str
    reference: str | None = None


async def issue_coupon(
    tx: Tx,
    actor: Actor,
    agreement_id: UUID,
    template_id: UUID,
    one: Wanted,
    campaign: str | None = None,
) -> PartnerIssue:
    """Issue one coupon of a partner's template to a member of its, as part of a campaign of the
    issuer's.

    Refuses NotFound (agreement, coupon template), AgreementStateWrong, MemberUnknown,
    IssueQuotaReached, FundsTooLow, OutOfStock and InvalidInput.
    """
    [found] = await issue_coupons(tx, actor, agreement_id, template_id, [one], campaign)
    if isinstance(found, Refusal):
        raise found
    return found


async def issue_coupons(
    tx: Tx,
    actor: Actor,
    agreement_id: UUID,
    template_id: UUID,
    wanted: Sequence[Wanted],
    campaign: str | None = None,
) -> list[PartnerIssue | Refusal]:
    """Issue coupons to several members at once, the first ones where there is not room for all;
    what became of each. Refuses what concerns all of them."""
    agreed = await terms_to_issue(tx, actor.brand_id, agreement_id, template_id, pooled=False)
    host_id = agreed.line.host_id
    tokens = [each.token for each in wanted]
    members = await find_members(tx, host_id, agreement_id, tokens)
    template = await get_template(tx, host_id, template_id)
    room, refusal = await admit_now(tx, agreed, template, len(wanted), campaign)
    admitted = [each for each in wanted if each.token in members][:room]
    issues = iter(await _issue(tx, actor, agreed, template, admitted, members, campaign))
    found: list[PartnerIssue | Refusal] = []
    for each in wanted:
        if refusal is not None and not room:  # said of strangers too: nobody is told apart
            found.append(refusal)
        elif each.token in members:
            room -= 1
            found.append(next(issues))
        else:
            found.append(MemberUnknown())
    return found


async def issued_under(snapshot: Snapshot, coupon: Coupon, reader_id: UUID) -> InForce | None:
    """The line by which a partner issued a coupon, read in the copies of ``reader_id``: None where
    that is neither of the two. One statement; by what it says itself, not by its time, for it may
    have waited for who signed meanwhile."""
    version = await queries.find_version(snapshot, coupon, reader_id)
    if version is None:
        if reader_id == coupon.brand_id:
            raise StatementMismatch("a partner's coupon without its issue")
        return None  # another pair's
    found = in_version(version, coupon.template_id)
    if found is None:
        raise StatementMismatch("a coupon was issued under terms that do not name it")
    return found


async def expire_coupons(tx: Tx, limit: int) -> int:
    """End up to ``limit`` coupons of any brand whose last day is over, and release what partners
    have reserved for them; how many it were."""
    ended = await coupons.expire_coupons(tx, limit)
    await clearing.release(tx, await _find_reserved(tx, ended))
    return len(ended)


async def void_coupon(tx: Tx, actor: Actor, coupon_id: UUID, reason: str) -> Coupon:
    """``rewards.coupons.service.void_coupon``, and release what a partner has reserved for it."""
    coupon = await coupons.void_coupon(tx, actor, coupon_id, reason)
    await clearing.release(tx, await _find_reserved(tx, [(coupon.brand_id, coupon.id)]))
    return coupon


async def void_won(tx: Tx, brand_id: UUID, causes: Iterable[tuple[CouponCause, UUID]]) -> int:
    """``rewards.coupons.service.void_won``, and release what a partner has reserved for what came
    out of its pools; how many coupons ended."""
    ended = await coupons.void_won(tx, brand_id, causes)
    await clearing.release(tx, await _find_reserved(tx, ended))
    return len(ended)


async def _find_reserved(
    tx: Tx, ended: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], int]:
    """What each (issuer, host) has reserved for coupons: (brand_id, coupon_id) of any cause."""
    if not ended:
        return {}
    rows = await tx.fetch(queries.FIND_RESERVED, ended=sorted(ended))
    return {(row[0], row[1]): row[2] for row in rows}


def wanted(token: str, reference: str | None) -> Wanted:
    """Refuses InvalidInput."""
    if not is_token(token):
        raise InvalidInput(field="memberToken", problem="43 characters of base64url")
    if reference is not None:
        reference = checked_text(reference, "reference", length_max=REFERENCE_LENGTH_MAX)
    return Wanted(token, reference)


def checked_campaign(name: str | None) -> str | None:
    """Refuses InvalidInput."""
    if name is None:
        return None
    return checked_text(name, "campaign", length_max=CAMPAIGN_LENGTH_MAX)


async def admit_now(
    tx: Tx, agreed: InForce, template: CouponTemplate | None, wanted: int, campaign: str | None
) -> tuple[int, Refusal | None]:
    """How many there is room for, as it looks just now: guards have the last word. Without a
    ``template`` its stock does not matter. Refuses InvalidInput."""
    line = agreed.line
    obeyed = quotas_of(line, campaign)
    today = local_date(tx.now, agreed.terms.timezone)
    days = [starts_on(quota.window, today) for quota in obeyed]
    counters = {
        (row.window, row.starts_on, row.campaign): row.used
        for row in await queries.list_counters(
            tx, line.issuer_id, agreed.agreement_id, line.template_id, days
        )
    }
    quotas = [
        (quota, quota.count_max - counters.get((quota.window.value, day, quota.campaign or ""), 0))
        for quota, day in zip(obeyed, days, strict=True)
    ]
    limit_fen, _ = limit_of(agreed.terms, line)
    used_fen = await clearing.used_funds(tx, line.issuer_id, line.host_id)
    stock = None
    if template is not None and template.stock_max is not None:
        stock = template.stock_max - template.issued
    room = Room(quotas, limit_fen - used_fen, stock)
    return admit(wanted, room, line.issue_fee_fen + reserve_fen(line, line.value_fen))


async def _issue(
    tx: Tx,
    actor: Actor,
    agreed: InForce,
    template: CouponTemplate,
    wanted: Sequence[Wanted],
    members: dict[str, UUID],
    campaign: str | None,
) -> list[PartnerIssue]:
    """Write the coupons and what they come to. RetryTransaction where another process has used up
    meanwhile what there was room for."""
    if not wanted:
        return []
    line, host_id = agreed.line, agreed.line.host_id
    host = await get_brand(tx, host_id)
    dates = usable_dates(template, local_date(tx.now, host.timezone))
    if dates is None:
        raise NotFound(noun="coupon template")  # past its dates
    keys = {(host_id, members[each.token]) for each in wanted}
    try:
        await require_unmerged(tx, keys)
    except MemberClosed as late:
        raise RetryTransaction from late  # merged into another since it was looked up
    reserved_fen = reserve_fen(line, line.value_fen)
    issues = [
        PartnerIssue(
            brand_id=line.issuer_id,
            host_id=host_id,
            agreement_id=agreed.agreement_id,
            version_id=agreed.version_id,
            template_id=line.template_id,
            coupon_id=new_id(),
            reference=each.reference,
            campaign=campaign,
            fee_fen=line.issue_fee_fen,
            reserved_fen=reserved_fen,
            issued_at=tx.now,
        )
        for each in wanted
    ]
    written = [
        _coupon(issue, members[each.token], dates)
        for issue, each in zip(issues, wanted, strict=True)
    ]
    await write_coupons(tx, written)
    await queries.add_issues(tx, issues)
    await outbox.emit(tx, [_fact(tx, coupon) for coupon in written])
    await tx.write(
        queries.TAKE_STOCK,
        expected=1,
        amount=len(issues),
        brand_id=host_id,
        id=line.template_id,
    )
    await count_quotas(tx, agreed, len(issues), campaign)
    await fund(tx, actor, agreed, _fees(agreed, issues), len(issues))
    return issues


def _coupon(issue: PartnerIssue, member_id: UUID, dates: tuple[date, date]) -> CouponIssue:
    return CouponIssue(
        brand_id=issue.host_id,
        id=issue.coupon_id,
        template_id=issue.template_id,
        member_id=member_id,
        code=new_code(),
        cause=CouponCause.PARTNER,
        cause_id=issue.id,
        usable_from=dates[0],
        usable_until=dates[1],
    )


def _fact(tx: Tx, coupon: CouponIssue) -> outbox.Fact:
    return outbox.Fact(
        coupon.brand_id, ISSUED_TOPIC, coupon.member_id, issued_payload(coupon), tx.now
    )


async def count_quotas(tx: Tx, agreed: InForce, count: int, campaign: str | None) -> None:
    """Hot rows, after what is the members' own. RetryTransaction where the last ones are gone."""
    line = agreed.line
    today = local_date(tx.now, agreed.terms.timezone)
    key = (line.issuer_id, agreed.agreement_id, line.template_id)
    windows = sorted(
        (each.window.value, starts_on(each.window, today), each.campaign or "", each.count_max)
        for each in quotas_of(line, campaign)
    )
    rows = [(*key, *window, count, count_max) for *window, count_max in windows]
    if rows:
        await tx.write(queries.COUNT_ISSUES, expected=len(rows), rows=rows)


def _fees(agreed: InForce, issues: Sequence[PartnerIssue]) -> list[Due]:
    line = agreed.line
    return [
        Due(
            debtor_id=line.issuer_id,
            creditor_id=line.host_id,
            kind=EntryKind.FEE,
            amount_fen=issue.fee_fen,
            agreement_id=agreed.agreement_id,
            template_id=line.template_id,
            coupon_id=issue.coupon_id,
        )
        for issue in issues
        if issue.fee_fen
    ]


async def fund(tx: Tx, actor: Actor, agreed: InForce, fees: Sequence[Due], count: int) -> None:
    """Fees are owed at once, what ``count`` coupons may come to cost is reserved: within the limit
    together, since the fees are owed when it is asked. RetryTransaction where that does not
    suffice any more."""
    line = agreed.line
    limit_fen, warning_fen = limit_of(agreed.terms, line)
    if not await clearing.spend_funds(
        tx,
        actor,
        (line.issuer_id, line.host_id),
        fees,
        reserved_fen=count * reserve_fen(line, line.value_fen),
        limit_fen=limit_fen,
        warning_fen=warning_fen,
    ):
        raise RetryTransaction
