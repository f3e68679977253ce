"""Proposing terms: what a draft becomes, in both sides' copies."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from loyalty import audit_log, keyed, outbox
from loyalty.actor import Actor
from loyalty.brands.models import Brand
from loyalty.brands.service import get_brand, get_brand_by_slug
from loyalty.db import RetryTransaction, Tx
from loyalty.errors import (
    AgreementStateWrong,
    InvalidInput,
    NotFound,
    TemplateUnderAgreement,
    TooManyOpen,
)
from loyalty.ids import new_id
from rewards.alliances import queries
from rewards.alliances.checks import check_draft, check_lines, check_pools
from rewards.alliances.models import Agreement, AgreementStatus, AgreementVersion, VersionStatus
from rewards.alliances.rules import LIVE_MAX, PROPOSED_TOPIC
from rewards.alliances.terms import Draft, DraftLine, Line, Terms, digest_of, terms_of, text_of
from rewards.coupons.models import CouponKind
from rewards.coupons.service import list_templates_by_ids


async def propose(tx: Tx, actor: Actor, partner_slug: str, draft: Draft) -> AgreementVersion:
    """The actor's brand proposes terms: the first version of a new agreement with a partner, or
    the next one of the agreement they have; one that was proposed before is withdrawn. The
    actor's copy.

    Templates are the brand's own, or the partner's that stand in the version in force or in the
    last one proposed: each side brings in its own. Sides in the draft are brand ids.
    Refuses InvalidInput (with the field's path), NotFound (brand, coupon template),
    TemplateUnderAgreement and TooManyOpen.
    """
    own = await get_brand(tx, actor.brand_id)
    partner = await get_brand_by_slug(tx, partner_slug)
    if partner.id == own.id:
        raise InvalidInput(field="partnerSlug", problem="another brand than one's own")
    brand_ids = (min(own.id, partner.id), max(own.id, partner.id))
    check_draft(draft, brand_ids)
    live = await queries.find_live(tx, own.id, partner.id)
    if live is None:
        agreement_id = await _begin(tx, own, partner)
    else:
        agreement_id = live.id
    copies = await queries.lock_both(tx, brand_ids, agreement_id)
    if any(copy.status == AgreementStatus.ENDED for copy in copies):
        raise RetryTransaction()  # it has ended meanwhile: they may begin another one
    open_versions = await queries.list_open_versions(tx, [own.id], agreement_id)
    lines = await _completed(tx, own.id, partner.id, agreement_id, draft, open_versions)
    check_lines(draft, lines)
    in_force = [version for version in open_versions if version.status == VersionStatus.IN_FORCE]
    check_pools(draft, [line for version in in_force for line in terms_of(version.terms).lines])
    terms = Terms(
        brand_ids=brand_ids,
        timezone=_timezone_of(open_versions) or own.timezone,
        first_on=draft.first_on,
        last_on=draft.last_on,
        statement_period=draft.statement_period,
        funding=draft.funding,
        lines=tuple(lines),
    )
    for copy in await queries.list_open_versions(tx, brand_ids, agreement_id):
        if copy.status == VersionStatus.PROPOSED:
            await keyed.write_row(tx, copy, status=VersionStatus.WITHDRAWN.value)
    version = await _add_version(tx, own.id, agreement_id, terms)
    await audit_log.record(
        tx, actor, "agreement.propose", agreement_id, number=version.number, digest=version.digest
    )
    await tell(tx, actor, PROPOSED_TOPIC, copies[0], number=version.number, digest=version.digest)
    return version


async def _begin(tx: Tx, own: Brand, partner: Brand) -> UUID:
    """The two copies of a new agreement; whoever is second to begin runs again, and finds it."""
    # Only who proposes is counted: strangers' proposals keep nobody from agreeing with others.
    if await queries.count_live(tx, own.id) >= LIVE_MAX:
        raise TooManyOpen(noun="agreement", limit=LIVE_MAX)
    agreement_id = new_id()
    for brand, other in sorted(((own, partner), (partner, own)), key=lambda pair: pair[0].id):
        copy = Agreement(
            brand_id=brand.id,
            id=agreement_id,
            partner_id=other.id,
            partner_slug=other.slug,
            partner_name=other.name,
            created_at=tx.now,
        )
        if not await tx.insert_if_absent(copy):
            raise RetryTransaction()
    return agreement_id


async def _completed(
    tx: Tx,
    own_id: UUID,
    partner_id: UUID,
    agreement_id: UUID,
    draft: Draft,
    open_versions: Sequence[AgreementVersion],
) -> list[Line]:
    """The draft's lines with what their templates are."""
    ids = [line.template_id for line in draft.lines]
    templates = {row.id: row for row in await list_templates_by_ids(tx, own_id, ids)}
    theirs = {row.id: row for row in await list_templates_by_ids(tx, partner_id, ids)}
    known = {
        line.template_id: line
        for version in sorted(open_versions, key=lambda version: version.number)
        for line in terms_of(version.terms).lines
        if line.host_id == partner_id
    }
    lines = []
    for number, said in enumerate(draft.lines):
        values = {field.name: getattr(said, field.name) for field in fields(DraftLine)}
        template, before = templates.get(said.template_id), known.get(said.template_id)
        if template is not None:
            if template.agreement_id not in (None, agreement_id):
                raise TemplateUnderAgreement(template=template.code)
            _check_kind(f"terms.lines[{number}]", CouponKind(template.kind), said)
            facts: dict[str, Any] = {
                "host_id": own_id,
                "template_code": template.code,
                "name_zh": template.name_zh,
                "name_en": template.name_en,
                "value_fen": template.cost_fen + template.fee_fen,
            }
        elif before is not None:
            _check_kind(f"terms.lines[{number}]", CouponKind(theirs[said.template_id].kind), said)
            names = ("host_id", "template_code", "name_zh", "name_en", "value_fen")
            facts = {name: getattr(before, name) for name in names}
        else:
            raise NotFound(noun="coupon template")
        lines.append(Line(**values, **facts))
    return lines


def _check_kind(path: str, kind: CouponKind, said: DraftLine) -> None:
    """What no till takes costs nobody anything there: codes are for pools alone, gifts for none."""
    if kind is CouponKind.GIFT:
        raise InvalidInput(field=f"{path}.templateId", problem="coupons that a till takes")
    if kind is CouponKind.CODE and not said.pooled:
        raise InvalidInput(field=f"{path}.pooled", problem="needed for a template of codes")
    if kind is CouponKind.CODE and said.redeem_fee_fen:
        raise InvalidInput(field=f"{path}.redeemFeeFen", problem="not for codes")


def _timezone_of(versions: Sequence[AgreementVersion]) -> str | None:
    """Of what is agreed or proposed already: the days of an agreement stay in one zone."""
    return terms_of(versions[-1].terms).timezone if versions else None


async def _add_version(tx: Tx, own_id: UUID, agreement_id: UUID, terms: Terms) -> AgreementVersion:
    number = await queries.find_last_number(tx, own_id, agreement_id) + 1
    text, id = text_of(agreement_id, number, terms), new_id()
    copies = {
        brand_id: AgreementVersion(
            brand_id=brand_id,
            id=id,
            agreement_id=agreement_id,
            number=number,
            terms=text,
            digest=digest_of(text),
            is_ours=brand_id == own_id,
            proposed_at=tx.now,
        )
        for brand_id in terms.brand_ids
    }
    for copy in copies.values():
        await tx.add(copy)
    return copies[own_id]


async def lock_live(tx: Tx, brand_ids: Sequence[UUID], agreement_id: UUID) -> list[Agreement]:
    """Both copies of an agreement that has not ended, the lower brand's first, locked."""
    copies = await queries.lock_both(tx, brand_ids, agreement_id)
    if any(copy.status == AgreementStatus.ENDED for copy in copies):
        raise AgreementStateWrong(status=AgreementStatus.ENDED.value, wanted="SIGNED")
    return copies


async def tell(tx: Tx, actor: Actor, topic: str, agreement: Agreement, **said: Any) -> None:
    """The same fact to both sides; ``by_partner`` tells each whether the other one did it."""
    facts = [
        outbox.Fact(
            brand_id,
            topic,
            agreement.id,
            {"by_partner": brand_id != actor.brand_id, **said},
            tx.now,
        )
        for brand_id in (agreement.brand_id, agreement.partner_id)
    ]
    await outbox.emit(tx, facts)
