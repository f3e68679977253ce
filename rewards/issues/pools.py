"""Pools (券池): a partner puts coupons into a host's template and pays for them then; the host's
campaigns, offers, gifts and raffles give them out like any other, at no cost of theirs."""

from collections.abc import Sequence
from uuid import UUID

from loyalty import audit_log
from loyalty.actor import Actor, system_actor
from loyalty.crypto import Keyring
from loyalty.db import Tx
from loyalty.errors import AlreadyExists, InvalidInput, NotFound, OutOfStock, TemplateUnderAgreement
from rewards.alliances import service as alliances
from rewards.alliances.models import Agreement
from rewards.alliances.rules import InForce
from rewards.alliances.service import get_agreement, reserve_fen, terms_to_issue
from rewards.clearing import service as clearing
from rewards.clearing.service import Due, EntryKind
from rewards.code_lists import service as code_lists
from rewards.coupons import service as coupons
from rewards.coupons.models import CouponKind, CouponTemplate, CouponTemplateStatus
from rewards.coupons.service import get_template
from rewards.issues import queries
from rewards.issues.models import PoolMove
from rewards.issues.service import admit_now, count_quotas, fund

COUNT_MAX = 10**6


async def fill_pool(
    tx: Tx,
    actor: Actor,
    agreement_id: UUID,
    template_id: UUID,
    count: int,
    campaign: str | None = None,
) -> PoolMove:
    """Put so many coupons into a host's pool, as part of a campaign of the issuer's: their fees
    are owed and what they may come to cost is reserved at once, for all of them or none.

    Refuses InvalidInput, NotFound (agreement, coupon template: also one that is no pool),
    AgreementStateWrong, IssueQuotaReached and FundsTooLow.
    """
    _check_count(count)
    agreed = await terms_to_issue(tx, actor.brand_id, agreement_id, template_id, pooled=True)
    if await _is_of_codes(tx, agreed):
        raise InvalidInput(
            field="templateId", problem="codes are put in by fillCouponPoolWithCodes"
        )
    return await _fill(tx, actor, agreed, count, campaign)


async def fill_pool_with_codes(
    tx: Tx,
    actor: Actor,
    keyring: Keyring,
    agreement_id: UUID,
    template_id: UUID,
    codes: Sequence[str],
    campaign: str | None = None,
) -> PoolMove:
    """``fill_pool`` for a template of codes: those that are new, each a coupon. Refuses also
    AlreadyExists where none is."""
    agreed = await terms_to_issue(tx, actor.brand_id, agreement_id, template_id, pooled=True)
    if not await _is_of_codes(tx, agreed):
        raise InvalidInput(field="templateId", problem="a template of the kind CODE")
    added = await code_lists.keep(tx, keyring, (agreed.line.host_id, template_id), codes)
    if not added:
        raise AlreadyExists(noun="code", field="codes")
    return await _fill(tx, actor, agreed, added, campaign)


async def _is_of_codes(tx: Tx, agreed: InForce) -> bool:
    template = await get_template(tx, agreed.line.host_id, agreed.line.template_id)
    return template.kind == CouponKind.CODE


async def _fill(
    tx: Tx, actor: Actor, agreed: InForce, count: int, campaign: str | None
) -> PoolMove:
    line = agreed.line
    admitted, refusal = await admit_now(tx, agreed, None, count, campaign)
    if admitted < count and refusal is not None:
        raise refusal
    await _move(tx, line.host_id, line.template_id, count)
    await count_quotas(tx, agreed, count, campaign)
    move = _moved(tx, agreed, count, count * line.issue_fee_fen, campaign)
    await tx.add(move)
    await audit_log.record(tx, actor, "coupon_pool.fill", line.template_id, count=count)
    await fund(tx, actor, agreed, [_fee(move)] if move.fee_fen else [], count)
    return move


async def drain_pool(
    tx: Tx, actor: Actor, agreement_id: UUID, template_id: UUID, count: int
) -> PoolMove:
    """Take coupons out of a pool again that nobody has: their reserve is free, their fees are
    given back. Also in a pause, and after the agreement's last day. Quotas count what was put in.

    Refuses InvalidInput, NotFound and OutOfStock (fewer are left).
    """
    _check_count(count)
    agreement = await get_agreement(tx, actor.brand_id, agreement_id)
    agreed = await alliances.pool_line(tx, agreement.partner_id, template_id, actor.brand_id)
    if (
        agreed is None
        or agreed.agreement_id != agreement_id
        or agreed.line.issuer_id != actor.brand_id
    ):
        raise NotFound(noun="coupon template")
    move = await _take_out(tx, actor, agreed, count)
    await audit_log.record(tx, actor, "coupon_pool.drain", template_id, count=count)
    return move


async def set_template_status(
    tx: Tx, actor: Actor, template_id: UUID, status: CouponTemplateStatus
) -> CouponTemplate:
    """``rewards.coupons.service.set_template_status``; a pool gives nothing out while its
    agreement is paused or over. Refuses TemplateUnderAgreement."""
    is_opening = status is CouponTemplateStatus.ACTIVE
    if is_opening and await alliances.pool_rests(tx, actor.brand_id, template_id):
        template = await get_template(tx, actor.brand_id, template_id)
        raise TemplateUnderAgreement(template=template.code)
    return await coupons.set_template_status(tx, actor, template_id, status)


async def end_agreement(tx: Tx, actor: Actor, agreement_id: UUID, reason: str) -> Agreement:
    """``rewards.alliances.service.end_agreement``, and take out what is left in the pools of both
    sides."""
    own = await alliances.end_agreement(tx, actor, agreement_id, reason)
    for issuer_id in sorted((own.brand_id, own.partner_id)):
        for pool in await queries.list_pools(tx, issuer_id):
            if pool.agreement_id == agreement_id and pool.left_count:
                ids = (pool.host_id, pool.template_id)
                agreed = await alliances.pool_line(tx, *ids, issuer_id)
                if agreed is not None:
                    await _take_out(tx, system_actor(issuer_id), agreed, pool.left_count)
    return own


async def _take_out(tx: Tx, actor: Actor, agreed: InForce, count: int) -> PoolMove:
    line = agreed.line
    await _move(tx, line.host_id, line.template_id, -count)
    if await _is_of_codes(tx, agreed):
        await code_lists.drop_spare(tx, (line.host_id, line.template_id), count)
    move = _moved(tx, agreed, -count, -count * line.issue_fee_fen)
    await tx.add(move)
    key = (line.issuer_id, line.host_id)
    released = {key: -count * reserve_fen(line, line.value_fen)}
    await clearing.post(tx, actor, [_fee(move)] if move.fee_fen else [], reserved=released)
    return move


def _check_count(count: int) -> None:
    if not 1 <= count <= COUNT_MAX:
        raise InvalidInput(field="count", problem=f"1 to {COUNT_MAX}")


async def _move(tx: Tx, host_id: UUID, template_id: UUID, count: int) -> None:
    """The pool's stock, which campaigns look at each time."""
    moved = await tx.fetch(queries.MOVE_POOL, amount=count, brand_id=host_id, id=template_id)
    if not moved:
        raise OutOfStock()


def _moved(
    tx: Tx, agreed: InForce, count: int, fee_fen: int, campaign: str | None = None
) -> PoolMove:
    return PoolMove(
        brand_id=agreed.line.issuer_id,
        host_id=agreed.line.host_id,
        agreement_id=agreed.agreement_id,
        template_id=agreed.line.template_id,
        campaign=campaign,
        count=count,
        fee_fen=fee_fen,
        moved_at=tx.now,
    )


def _fee(move: PoolMove) -> Due:
    """Of all coupons of a move at once."""
    sides = (move.brand_id, move.host_id)
    debtor_id, creditor_id = sides if move.fee_fen > 0 else sides[::-1]
    return Due(
        debtor_id=debtor_id,
        creditor_id=creditor_id,
        kind=EntryKind.FEE,
        amount_fen=abs(move.fee_fen),
        agreement_id=move.agreement_id,
        template_id=move.template_id,
        note=f"{move.count} × {move.fee_fen // move.count} fen",
    )
