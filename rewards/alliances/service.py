"""The verbs of agreements (联盟协议): proposed, signed by both, paused, ended; and what others read
of them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from loyalty import audit_log, keyed
from loyalty.actor import Actor
from loyalty.brands.service import touch_configuration
from loyalty.db import Snapshot, StatementMismatch, Tx
from loyalty.errors import (
    AgreementChanged,
    AgreementStateWrong,
    NotFound,
    TemplateUnderAgreement,
)
from loyalty.text import checked_text
from rewards.alliances import queries
from rewards.alliances.models import Agreement, AgreementStatus, AgreementVersion, VersionStatus
from rewards.alliances.proposals import lock_live, propose, tell
from rewards.alliances.queries import get_agreement
from rewards.alliances.rules import (
    ENDED_TOPIC,
    PAUSED,
    PAUSED_TOPIC,
    REASON_LENGTH_MAX,
    RESUMED_TOPIC,
    SIGNED_TOPIC,
    InForce,
    begin_pause,
    end_pause,
    in_version,
    is_paused,
    lines_at,
    state_of,
)
from rewards.alliances.terms import (
    Line,
    StatementPeriod,
    Terms,
    may_redeem,
    reserve_fen,
    split,
    terms_of,
)
from rewards.clearing.service import open_position
from rewards.coupons.models import CouponTemplateStatus

# Other nouns may call this service and never the queries: these are the reads they need.
__all__ = [
    "InForce",
    "agreement_between",
    "end_agreement",
    "get_agreement",
    "hosts_of",
    "issuing_terms",
    "line_in_force",
    "may_redeem",
    "pause_agreement",
    "period_of",
    "pool_line",
    "pool_rests",
    "limit_of_issuer",
    "propose",
    "require_active",
    "reserve_fen",
    "resume_agreement",
    "sign",
    "split",
    "template_codes_of",
    "terms_to_issue",
]


# --- what others read --------------------------------------------------------------------------


async def agreement_between(
    snapshot: Snapshot, brand_id: UUID, partner_id: UUID
) -> Agreement | None:
    """The brand's copy of its agreement with a partner, unless there is none or it has ended."""
    return await queries.find_live(snapshot, brand_id, partner_id)


async def line_in_force(
    snapshot: Snapshot,
    host_id: UUID,
    template_id: UUID,
    at: datetime,
    *,
    reader_id: UUID | None = None,
) -> InForce | None:
    """The line that counts for a coupon of a host's template that was issued at an instant; None
    for one that is its host's own affair. Read in the copies of ``reader_id``: one of the two
    sides, the host when it is not said. One statement."""
    if reader_id is None or reader_id == host_id:
        found = await queries.find_in_force_at(snapshot, host_id, template_id, at)
        pairs = [] if found is None else [found]
    else:
        pairs = await queries.list_in_force_at(snapshot, reader_id, at, host_id)
    for agreement, version in pairs:
        for each in lines_at(agreement, version, at):
            if each.line.template_id == template_id and each.line.host_id == host_id:
                return each
    return None


async def hosts_of(snapshot: Snapshot, redeemer_id: UUID) -> list[UUID]:
    """The brands of whose coupons some may be good at a brand's tills: those with which anything
    is or was agreed by which it may redeem, since coupons outlive agreements."""
    return sorted(
        {
            partner_id
            for partner_id, version in await queries.list_ever_in_force(snapshot, redeemer_id)
            for line in terms_of(version.terms).lines
            if line.host_id == partner_id and may_redeem(line, redeemer_id)
        }
    )


async def period_of(
    snapshot: Snapshot, brand_id: UUID, partner_id: UUID
) -> tuple[StatementPeriod, str] | None:
    """How often statements are drawn between two brands, and in which time zone: as the version
    has it that was the last to come in force. None where there never was one."""
    terms = await _last_terms(snapshot, brand_id, partner_id)
    return None if terms is None else (terms.statement_period, terms.timezone)


async def _last_terms(snapshot: Snapshot, brand_id: UUID, partner_id: UUID) -> Terms | None:
    """Of the version that was the last to come in force between two brands."""
    found = [
        version
        for id, version in await queries.list_ever_in_force(snapshot, brand_id)
        if id == partner_id
    ]
    last = max(found, key=lambda each: (each.in_force_from, each.number), default=None)
    return None if last is None else terms_of(last.terms)


async def template_codes_of(
    snapshot: Snapshot, brand_id: UUID, partner_id: UUID
) -> dict[UUID, str]:
    """The codes of all templates that are or were in force between two brands, of either, by id:
    from the brand's own copies."""
    return {
        line.template_id: line.template_code
        for id, version in await queries.list_ever_in_force(snapshot, brand_id)
        if id == partner_id
        for line in terms_of(version.terms).lines
    }


async def terms_to_issue(
    tx: Tx, issuer_id: UUID, agreement_id: UUID, template_id: UUID, *, pooled: bool
) -> InForce:
    """``issuing_terms`` of one agreement, for issuing one by one or (``pooled``) into a pool.
    Refuses NotFound also where the two have agreed anew since, or it is the other way."""
    own = await get_agreement(tx, issuer_id, agreement_id)
    agreed = await issuing_terms(tx, issuer_id, own.partner_id, template_id)
    if agreed.agreement_id != agreement_id or agreed.line.pooled is not pooled:
        raise NotFound(noun="coupon template")
    return agreed


async def issuing_terms(tx: Tx, issuer_id: UUID, host_id: UUID, template_id: UUID) -> InForce:
    """The line under which a partner issues now. The agreement is locked, shared with others who
    issue: nobody pauses or ends it or changes its terms before this transaction ends.

    Refuses NotFound (the template is no line of theirs) and AgreementStateWrong (paused, ended,
    not signed yet, or outside its days).
    """
    agreement = await queries.share_live(tx, issuer_id, host_id)
    if agreement is None:
        raise NotFound(noun="coupon template")
    require_active(agreement)
    for version in await queries.list_open_versions(tx, [issuer_id], agreement.id):
        if version.status != VersionStatus.IN_FORCE:
            continue
        found = in_version(version, template_id)
        if found is None or (found.line.host_id, found.line.issuer_id) != (host_id, issuer_id):
            break
        if not found.terms.covers(tx.now):
            raise AgreementStateWrong(status="OUTSIDE_ITS_DAYS", wanted="ISSUED_UNDER")
        return found
    raise NotFound(noun="coupon template")


async def pool_line(
    snapshot: Snapshot, host_id: UUID, template_id: UUID, reader_id: UUID
) -> InForce | None:
    """The line of a host's pool in the copies of one of the two sides, also after its end: a
    pool's terms stay as they were, so it does not matter when a coupon came out of it. None for a
    template that is no pool, or none of the reader's."""
    version = await queries.find_pool_version(snapshot, host_id, template_id, reader_id)
    if version is None:
        return None
    found = in_version(version, template_id)
    if found is None:
        raise StatementMismatch("a pool that the terms do not name")
    return found


async def pool_rests(tx: Tx, host_id: UUID, template_id: UUID) -> bool:
    """Whether a host's template is a pool whose agreement is paused or over: nobody pauses or ends
    it before this transaction ends."""
    found = await pool_line(tx, host_id, template_id, host_id)
    if found is None:
        return False
    agreement = await queries.share_live(tx, host_id, found.terms.other(host_id))
    if agreement is None or agreement.id != found.agreement_id:
        return True
    return state_of(agreement) != AgreementStatus.ACTIVE


async def limit_of_issuer(snapshot: Snapshot, issuer_id: UUID, host_id: UUID) -> int:
    """Up to how many fen an issuer may owe a host, reserves included: as the version has it that
    was the last to come in force between them."""
    terms = await _last_terms(snapshot, issuer_id, host_id)
    funding = None if terms is None else terms.funding_of(issuer_id)
    return 0 if funding is None else funding.limit_fen


def require_active(agreement: Agreement) -> None:
    """Refuses AgreementStateWrong unless it is in force and neither side has paused it."""
    if state_of(agreement) != AgreementStatus.ACTIVE:
        raise AgreementStateWrong(status=state_of(agreement), wanted="ISSUED_UNDER")


# --- signing -----------------------------------------------------------------------------------


async def sign(tx: Tx, actor: Actor, agreement_id: UUID, digest: str) -> AgreementVersion:
    """Sign the proposed version for the actor's brand: it names what it has read by its digest.
    The second side's signature puts it in force at once, in place of the one before. The actor's
    copy; a version that the side has signed already is answered as it is.

    Refuses NotFound, AgreementStateWrong (nothing is proposed), AgreementChanged (another text is)
    and TemplateUnderAgreement.
    """
    own = await get_agreement(tx, actor.brand_id, agreement_id)
    brand_ids = (min(own.brand_id, own.partner_id), max(own.brand_id, own.partner_id))
    copies = await lock_live(tx, brand_ids, agreement_id)
    versions = await queries.list_open_versions(tx, brand_ids, agreement_id)
    proposed = {row.brand_id: row for row in versions if row.status == VersionStatus.PROPOSED}
    if not proposed:
        in_force = [row for row in versions if row.brand_id == actor.brand_id]
        if in_force and in_force[0].digest == digest:
            return in_force[0]
        raise AgreementStateWrong(status=copies[0].status, wanted="SIGNED")
    mine, theirs = proposed[actor.brand_id], proposed[own.partner_id]
    if mine.digest != digest:
        raise AgreementChanged(number=mine.number)
    if mine.signed_at is not None:
        return mine
    is_whole = mine.partner_signed_at is not None
    await keyed.write_row(tx, mine, signed_at=tx.now, signed_by=actor.id)
    await keyed.write_row(tx, theirs, partner_signed_at=tx.now)
    if is_whole:
        await _put_in_force(tx, copies, versions)
    await audit_log.record(
        tx, actor, "agreement.sign", agreement_id, number=mine.number, digest=digest
    )
    await tell(
        tx,
        actor,
        SIGNED_TOPIC,
        own,
        number=mine.number,
        digest=digest,
        in_force=is_whole,
    )
    return mine


async def _put_in_force(
    tx: Tx, copies: Sequence[Agreement], versions: Sequence[AgreementVersion]
) -> None:
    for row in versions:
        if row.status == VersionStatus.IN_FORCE:
            await keyed.write_row(tx, row, status=VersionStatus.OVER.value, in_force_until=tx.now)
    for row in versions:
        if row.status == VersionStatus.PROPOSED:
            await keyed.write_row(
                tx, row, status=VersionStatus.IN_FORCE.value, in_force_from=tx.now
            )
    signed = next(row for row in versions if row.status == VersionStatus.IN_FORCE)
    lines = terms_of(signed.terms).lines
    for copy in copies:
        await keyed.write_row(tx, copy, status=AgreementStatus.ACTIVE.value)
        hosted = [line for line in lines if line.host_id == copy.brand_id]
        ids = sorted(line.template_id for line in hosted)
        await open_position(tx, copy.brand_id, copy.partner_id)
        if await queries.bind_templates(tx, copy.brand_id, ids, copy.id) != len(ids):
            raise TemplateUnderAgreement(template=", ".join(line.template_code for line in hosted))
        reserves = {
            line.template_id: reserve_fen(line, line.value_fen) for line in hosted if line.pooled
        }
        open_as = CouponTemplateStatus.PARTNER if is_paused(copy) else CouponTemplateStatus.ACTIVE
        await queries.open_pools(tx, copy.brand_id, copy.id, reserves, open_as)
        await _leave_to_partner(tx, copy, hosted)


async def _leave_to_partner(tx: Tx, copy: Agreement, hosted: Sequence[Line]) -> None:
    theirs = sorted(
        line.template_id for line in hosted if line.issuer_id == copy.partner_id and not line.pooled
    )
    await queries.leave_to_partner(tx, copy.brand_id, copy.id, theirs)
    await touch_configuration(tx, copy.brand_id)


async def _set_pools(tx: Tx, copies: Sequence[Agreement], *, is_open: bool) -> None:
    """The hosts give out what is in their pools, or do not for now."""
    ways = (CouponTemplateStatus.PARTNER, CouponTemplateStatus.ACTIVE)
    for copy in sorted(copies, key=lambda copy: copy.brand_id):
        await queries.set_pools(tx, copy.brand_id, copy.id, *(ways if is_open else ways[::-1]))
        await touch_configuration(tx, copy.brand_id)


# --- pausing and ending ------------------------------------------------------------------------


async def pause_agreement(tx: Tx, actor: Actor, agreement_id: UUID, reason: str) -> Agreement:
    """Stop issuing under it at once; what was issued stays good. Each side has its own pause.
    Refuses AgreementStateWrong when it is not active, or the side has paused it already."""
    why = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    mine, theirs = await _lock_sides(tx, actor, agreement_id)
    if mine.status != AgreementStatus.ACTIVE or mine.paused_at is not None:
        raise AgreementStateWrong(status=state_of(mine), wanted=PAUSED)
    pauses = begin_pause(mine.pauses, tx.now)
    await keyed.write_row(tx, mine, paused_at=tx.now, pauses=pauses)
    await keyed.write_row(tx, theirs, partner_paused_at=tx.now, pauses=pauses)
    await _set_pools(tx, (mine, theirs), is_open=False)
    await audit_log.record(tx, actor, "agreement.pause", agreement_id, why)
    await tell(tx, actor, PAUSED_TOPIC, mine, reason=why)
    return mine


async def resume_agreement(tx: Tx, actor: Actor, agreement_id: UUID) -> Agreement:
    """End the pause of the actor's side; issuing goes on once neither side pauses it."""
    mine, theirs = await _lock_sides(tx, actor, agreement_id)
    if mine.paused_at is None or mine.status != AgreementStatus.ACTIVE:
        raise AgreementStateWrong(status=state_of(mine), wanted="RESUMED")
    is_over = mine.partner_paused_at is None
    pauses = end_pause(mine.pauses, tx.now) if is_over else list(mine.pauses)
    await keyed.write_row(tx, mine, paused_at=None, pauses=pauses)
    await keyed.write_row(tx, theirs, partner_paused_at=None, pauses=pauses)
    if is_over:
        await _set_pools(tx, (mine, theirs), is_open=True)
    await audit_log.record(tx, actor, "agreement.resume", agreement_id)
    await tell(tx, actor, RESUMED_TOPIC, mine, active=is_over)
    return mine


async def end_agreement(tx: Tx, actor: Actor, agreement_id: UUID, reason: str) -> Agreement:
    """End it for good; what was issued under it stays good, and is cleared as agreed. What is left
    in pools ``rewards.issues.pools`` takes out."""
    why = checked_text(reason, "reason", length_max=REASON_LENGTH_MAX)
    mine, theirs = await _lock_sides(tx, actor, agreement_id)
    brand_ids = (mine.brand_id, theirs.brand_id)
    if mine.status == AgreementStatus.ENDED:
        raise AgreementStateWrong(status=mine.status, wanted="ENDED")
    for row in await queries.list_open_versions(tx, brand_ids, agreement_id):
        if row.status == VersionStatus.IN_FORCE:
            await keyed.write_row(tx, row, status=VersionStatus.OVER.value, in_force_until=tx.now)
        else:
            await keyed.write_row(tx, row, status=VersionStatus.WITHDRAWN.value)
    await _set_pools(tx, (mine, theirs), is_open=False)
    for copy in sorted((mine, theirs), key=lambda copy: copy.brand_id):
        await keyed.write_row(tx, copy, status=AgreementStatus.ENDED.value, ended_at=tx.now)
        await queries.leave_to_partner(tx, copy.brand_id, copy.id, [], is_over=True)
    await audit_log.record(tx, actor, "agreement.end", agreement_id, why)
    await tell(tx, actor, ENDED_TOPIC, mine, reason=why)
    return mine


async def _lock_sides(tx: Tx, actor: Actor, agreement_id: UUID) -> tuple[Agreement, Agreement]:
    """The actor's copy and the other's, locked."""
    own = await get_agreement(tx, actor.brand_id, agreement_id)
    copies = {
        row.brand_id: row
        for row in await queries.lock_both(tx, (own.brand_id, own.partner_id), agreement_id)
    }
    return copies[own.brand_id], copies[own.partner_id]
