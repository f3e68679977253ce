"""The SQL of agreements: each brand's own copies, and both copies for whoever changes them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import col, func, or_, select

from loyalty import keyed
from loyalty.db import Snapshot, Tx
from loyalty.errors import InvalidInput, NotFound
from rewards.alliances.models import (
    Agreement,
    AgreementStatus,
    AgreementVersion,
    CouponPool,
    VersionStatus,
)
from rewards.coupons.models import CouponKind, CouponTemplate, CouponTemplateStatus


async def get_agreement(snapshot: Snapshot, brand_id: UUID, agreement_id: UUID) -> Agreement:
    """The brand's own copy; NotFound when it is no side of it."""
    return await keyed.get_row(snapshot, Agreement, brand_id, agreement_id, "agreement")


async def find_live(snapshot: Snapshot, brand_id: UUID, partner_id: UUID) -> Agreement | None:
    """The brand's copy of the one agreement with a partner that has not ended."""
    found = await snapshot.session.exec(
        select(Agreement)
        .where(
            Agreement.brand_id == brand_id,
            Agreement.partner_id == partner_id,
            Agreement.status != AgreementStatus.ENDED,
        )
        .execution_options(populate_existing=True)
    )
    return found.first()


async def count_live(snapshot: Snapshot, brand_id: UUID) -> int:
    found = await snapshot.session.exec(
        select(func.count())
        .select_from(Agreement)
        .where(Agreement.brand_id == brand_id, Agreement.status != AgreementStatus.ENDED)
    )
    return found.one()


async def list_agreements(
    snapshot: Snapshot, brand_id: UUID, *, before: UUID | None, limit: int
) -> list[Agreement]:
    return await keyed.list_newest(snapshot, Agreement, brand_id, before=before, limit=limit)


async def list_agreements_by_ids(
    snapshot: Snapshot, brand_id: UUID, ids: Sequence[UUID]
) -> list[Agreement]:
    return await keyed.list_rows_by_ids(snapshot, Agreement, brand_id, ids)


async def lock_both(tx: Tx, brand_ids: Sequence[UUID], agreement_id: UUID) -> list[Agreement]:
    """Both sides' copies, the lower brand's first, and nobody else changes them or issues under
    them until this transaction ends."""
    found = await tx.session.exec(
        select(Agreement)
        .where(col(Agreement.brand_id).in_(brand_ids), Agreement.id == agreement_id)
        .order_by(col(Agreement.brand_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(found)


async def share_live(tx: Tx, brand_id: UUID, partner_id: UUID) -> Agreement | None:
    """``find_live``, and nobody changes it until this transaction ends; others may share it."""
    found = await tx.session.exec(
        select(Agreement)
        .where(
            Agreement.brand_id == brand_id,
            Agreement.partner_id == partner_id,
            Agreement.status != AgreementStatus.ENDED,
        )
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    return found.first()


# --- versions ----------------------------------------------------------------------------------


async def list_versions(
    snapshot: Snapshot, brand_id: UUID, agreement_ids: Sequence[UUID], *, newest: int | None = None
) -> list[AgreementVersion]:
    """A brand's copies of the versions of its agreements, the newest first; ``newest``: at most
    so many numbers back from the last one of each."""
    query = select(AgreementVersion).where(
        AgreementVersion.brand_id == brand_id,
        col(AgreementVersion.agreement_id).in_(agreement_ids),
    )
    if newest is not None:
        last = (
            select(
                col(AgreementVersion.agreement_id).label("agreement_id"),
                func.max(col(AgreementVersion.number)).label("number"),
            )
            .where(
                AgreementVersion.brand_id == brand_id,
                col(AgreementVersion.agreement_id).in_(agreement_ids),
            )
            .group_by(col(AgreementVersion.agreement_id))
            .subquery()
        )
        query = query.join(last, last.c.agreement_id == AgreementVersion.agreement_id).where(
            AgreementVersion.number > last.c.number - newest
        )
    found = await snapshot.session.exec(
        query.order_by(
            col(AgreementVersion.agreement_id), col(AgreementVersion.number).desc()
        ).execution_options(populate_existing=True)
    )
    return list(found)


async def list_open_versions(
    snapshot: Snapshot, brand_ids: Sequence[UUID], agreement_id: UUID
) -> list[AgreementVersion]:
    """The copies of the version that is in force and of the one that is proposed."""
    found = await snapshot.session.exec(
        select(AgreementVersion)
        .where(
            col(AgreementVersion.brand_id).in_(brand_ids),
            AgreementVersion.agreement_id == agreement_id,
            col(AgreementVersion.status).in_([VersionStatus.PROPOSED, VersionStatus.IN_FORCE]),
        )
        .order_by(col(AgreementVersion.brand_id))
        .execution_options(populate_existing=True)
    )
    return list(found)


async def find_last_number(snapshot: Snapshot, brand_id: UUID, agreement_id: UUID) -> int:
    """0 before the first version."""
    found = await snapshot.session.exec(
        select(func.max(AgreementVersion.number)).where(
            AgreementVersion.brand_id == brand_id, AgreementVersion.agreement_id == agreement_id
        )
    )
    return found.one() or 0


async def list_in_force_at(
    snapshot: Snapshot, brand_id: UUID, at: datetime, partner_id: UUID | None = None
) -> list[tuple[Agreement, AgreementVersion]]:
    """The brand's copies of what was in force at an instant, of all its agreements or of those with
    a partner."""
    query = (
        select(Agreement, AgreementVersion)
        .join(
            AgreementVersion,
            (col(AgreementVersion.brand_id) == Agreement.brand_id)
            & (col(AgreementVersion.agreement_id) == Agreement.id),
        )
        .where(
            Agreement.brand_id == brand_id,
            col(AgreementVersion.in_force_from) <= at,
            or_(
                col(AgreementVersion.in_force_until).is_(None),
                col(AgreementVersion.in_force_until) > at,
            ),
        )
    )
    if partner_id is not None:
        query = query.where(Agreement.partner_id == partner_id)
    return list(await snapshot.session.exec(query.order_by(col(Agreement.id))))


def _of_template(host_id: UUID, template_id: UUID) -> Any:
    """The host's copies of the versions of the agreement that a template of its is under."""
    return (
        select(Agreement, AgreementVersion)
        .join(
            CouponTemplate,
            (col(CouponTemplate.brand_id) == Agreement.brand_id)
            & (col(CouponTemplate.agreement_id) == Agreement.id),
        )
        .join(
            AgreementVersion,
            (col(AgreementVersion.brand_id) == Agreement.brand_id)
            & (col(AgreementVersion.agreement_id) == Agreement.id),
        )
        .where(CouponTemplate.brand_id == host_id, CouponTemplate.id == template_id)
    )


async def find_in_force_at(
    snapshot: Snapshot, host_id: UUID, template_id: UUID, at: datetime
) -> tuple[Agreement, AgreementVersion] | None:
    """The host's copies of what was in force for a template of its own."""
    until = col(AgreementVersion.in_force_until)
    found = await snapshot.session.exec(
        _of_template(host_id, template_id).where(
            col(AgreementVersion.in_force_from) <= at, or_(until.is_(None), until > at)
        )
    )
    row: tuple[Agreement, AgreementVersion] | None = found.first()
    return row


async def find_pool_version(
    snapshot: Snapshot, host_id: UUID, template_id: UUID, reader_id: UUID
) -> AgreementVersion | None:
    """The version that was the last to come in force for a host's pool, in the copies of one of
    the two sides; None for a template that is no pool."""
    found = await snapshot.session.exec(
        select(AgreementVersion)
        .join(CouponPool, col(CouponPool.agreement_id) == AgreementVersion.agreement_id)
        .where(
            CouponPool.brand_id == host_id,
            CouponPool.template_id == template_id,
            AgreementVersion.brand_id == reader_id,
            col(AgreementVersion.in_force_from).is_not(None),
        )
        .order_by(col(AgreementVersion.number).desc())
        .limit(1)
    )
    return found.first()


async def list_ever_in_force(
    snapshot: Snapshot, brand_id: UUID
) -> list[tuple[UUID, AgreementVersion]]:
    """(partner_id, version) of all that is or was in force between the brand and others."""
    found = await snapshot.session.exec(
        select(Agreement.partner_id, AgreementVersion)
        .join(
            AgreementVersion,
            (col(AgreementVersion.brand_id) == Agreement.brand_id)
            & (col(AgreementVersion.agreement_id) == Agreement.id),
        )
        .where(Agreement.brand_id == brand_id, col(AgreementVersion.in_force_from).is_not(None))
    )
    return list(found)


# --- templates ---------------------------------------------------------------------------------


async def bind_templates(
    tx: Tx, host_id: UUID, template_ids: Sequence[UUID], agreement_id: UUID
) -> int:
    """Put templates under an agreement; how many of them are under it now."""
    columns = (
        col(CouponTemplate.agreement_id).is_(None),
        CouponTemplate.agreement_id == agreement_id,
    )
    bound = await tx.session.exec(
        update(CouponTemplate)
        .where(
            col(CouponTemplate.brand_id) == host_id,
            col(CouponTemplate.id).in_(template_ids),
            or_(*columns),
        )
        .values(agreement_id=agreement_id)
        .execution_options(synchronize_session=False)
    )
    return bound.rowcount


async def open_pools(
    tx: Tx,
    host_id: UUID,
    agreement_id: UUID,
    reserves: Mapping[UUID, int],
    status: CouponTemplateStatus,
) -> None:
    """Make templates under an agreement pools, those that are none yet: with nothing in them, and
    in a status. ``reserves``: what is reserved for a coupon of each. Refuses InvalidInput where
    coupons of it were issued, or codes put in: whose they are would not be known.

    The template is locked first: who is giving a coupon of it just now is waited for, and seen."""
    for template_id, reserve_fen in sorted(reserves.items()):
        template = await keyed.lock_row(tx, CouponTemplate, host_id, template_id)
        if template is None:
            raise NotFound(noun="coupon template")
        pool = CouponPool(
            brand_id=host_id,
            template_id=template_id,
            agreement_id=agreement_id,
            reserve_fen=reserve_fen,
            opened_at=tx.now,
        )
        if not await tx.insert_if_absent(pool):
            continue
        if template.issued or (template.kind == CouponKind.CODE and template.stock_max):
            problem = f"coupons of {template.code} were issued: a pool needs a new template"
            raise InvalidInput(field="terms.lines", problem=problem)
        await tx.session.exec(
            update(CouponTemplate)
            .where(col(CouponTemplate.brand_id) == host_id, col(CouponTemplate.id) == template_id)
            .values(stock_max=0, status=status.value)
            .execution_options(synchronize_session=False)
        )


def _pools_of(host_id: UUID, agreement_id: UUID) -> Any:
    return select(CouponPool.template_id).where(
        CouponPool.brand_id == host_id, CouponPool.agreement_id == agreement_id
    )


async def set_pools(
    tx: Tx,
    host_id: UUID,
    agreement_id: UUID,
    was: CouponTemplateStatus,
    is_now: CouponTemplateStatus,
) -> None:
    """Pools of a host's under an agreement that are in one status go to another: what the host
    itself has paused stays so."""
    await tx.session.exec(
        update(CouponTemplate)
        .where(
            col(CouponTemplate.brand_id) == host_id,
            col(CouponTemplate.id).in_(_pools_of(host_id, agreement_id)),
            col(CouponTemplate.status) == was.value,
        )
        .values(status=is_now.value)
        .execution_options(synchronize_session=False)
    )


async def leave_to_partner(
    tx: Tx,
    host_id: UUID,
    agreement_id: UUID,
    template_ids: Sequence[UUID],
    *,
    is_over: bool = False,
) -> None:
    """Of the host's templates under an agreement these alone are the partner's to issue; what was
    so before is paused, for the host to decide: pools only once the agreement is over."""
    of_agreement = (
        col(CouponTemplate.brand_id) == host_id,
        col(CouponTemplate.agreement_id) == agreement_id,
    )
    partners = col(CouponTemplate.status) == CouponTemplateStatus.PARTNER.value
    theirs = col(CouponTemplate.id).in_(template_ids)
    kept = or_(theirs, col(CouponTemplate.id).in_(_pools_of(host_id, agreement_id)))
    left = (partners,) if is_over else (partners, ~kept)
    for conditions, status in (
        (left, CouponTemplateStatus.PAUSED),
        ((theirs,), CouponTemplateStatus.PARTNER),
    ):
        await tx.session.exec(
            update(CouponTemplate)
            .where(*of_agreement, *conditions)
            .values(status=status.value)
            .execution_options(synchronize_session=False)
        )
