"""A sandbox for partners' integrators: two brands with test data that have agreed, and a key."""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from loyalty.actor import Actor, ActorKind, MemberRole, Scope, system_actor
from loyalty.brands.models import Brand
from loyalty.clock import local_date
from loyalty.crypto import Keyring
from loyalty.db import Tx
from loyalty.ids import global_id
from loyalty.members.service import enrol, find_or_create_identity_by_phone
from loyalty.partner_keys.service import create_key
from loyalty.places.service import create_clerk, create_place, create_till, prepare_pin
from rewards.alliances.service import propose, sign
from rewards.alliances.terms import (
    Draft,
    DraftLine,
    Funding,
    FundingKind,
    Quota,
    QuotaWindow,
    Share,
)
from rewards.coupons.models import CouponKind, CouponTemplate
from rewards.coupons.rules import TemplateDefinition
from rewards.coupons.service import create_template
from server.founding import BrandWanted, found_brand

PHONES = ("13800000001", "13800000002", "13800000003")
"""Of the host's members."""
LIMIT_FEN, WARNING_FEN = 100_000, 10_000
DAILY_MAX = 1_000
CLERK_NUMBER = "0001"
REQUESTS_PER_MINUTE = 600


@dataclass(frozen=True, slots=True)
class SandboxTill:
    """Where a clerk signs in: all in clear, since nothing of it is worth anything."""

    brand: str
    key: str = field(repr=False)
    clerk_number: str
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What an integrator begins with; ids are global."""

    host: str
    partner: str
    agreement_id: str
    template_id: str
    phones: tuple[str, ...]
    tills: tuple[SandboxTill, ...]
    partner_key: str = field(repr=False)


async def found_sandbox(tx: Tx, keyring: Keyring, slug: str) -> Sandbox:
    """Make a host (``slug``) with a template and members, its partner (``slug``-partner), a till
    of each, an agreement that both have signed, and a key of the partner's with all scopes.
    Refuses AlreadyExists when there is a brand of either name."""
    host = await found_brand(tx, BrandWanted(slug, f"{slug} (sandbox)"))
    partner = await found_brand(tx, BrandWanted(f"{slug}-partner", f"{slug} partner (sandbox)"))
    template = await _template(tx, host)
    for phone in PHONES:
        await _member(tx, keyring, host.id, phone)
    agreement_id = await _agree(tx, host, partner, template)
    key = await create_key(
        tx,
        system_actor(partner.id),
        name="sandbox",
        scopes=list(Scope),
        networks=[],
        requests_per_minute=REQUESTS_PER_MINUTE,
    )
    return Sandbox(
        host.slug,
        partner.slug,
        global_id("Agreement", agreement_id),
        global_id("CouponTemplate", template.id),
        PHONES,
        (await _till(tx, keyring, host), await _till(tx, keyring, partner)),
        key.key,
    )


async def _template(tx: Tx, host: Brand) -> CouponTemplate:
    definition = TemplateDefinition(
        code="sandbox",
        name_zh="五元券",
        name_en="Five off",
        kind=CouponKind.AMOUNT_OFF,
        amount_off_fen=500,
        usable_days=30,
        cost_fen=500,
        fee_fen=20,
    )
    return await create_template(tx, system_actor(host.id), definition)


async def _member(tx: Tx, keyring: Keyring, brand_id: UUID, phone: str) -> None:
    identity = await find_or_create_identity_by_phone(tx, keyring, brand_id, phone)
    await enrol(tx, Actor(ActorKind.MEMBER, brand_id, identity.id, MemberRole.CONSUMER.value))


async def _agree(tx: Tx, host: Brand, partner: Brand, template: CouponTemplate) -> UUID:
    line = DraftLine(
        template_id=template.id,
        issuer_id=partner.id,
        redeemer_ids=(host.id, partner.id),
        issuer_share=Share(basis_points=6_000),
        host_share=Share(fen=50),
        issue_fee_fen=5,
        redeem_fee_fen=7,
        quotas=(Quota(QuotaWindow.DAY, DAILY_MAX),),
    )
    draft = Draft(
        # A day early, so that it covers today wherever a calendar is ahead.
        first_on=local_date(tx.now, host.timezone) - timedelta(days=1),
        funding=(Funding(partner.id, FundingKind.POSTPAID, LIMIT_FEN, WARNING_FEN),),
        lines=(line,),
    )
    version = await propose(tx, system_actor(host.id), partner.slug, draft)
    for side in (host, partner):
        await sign(tx, system_actor(side.id), version.agreement_id, version.digest)
    return version.agreement_id


async def _till(tx: Tx, keyring: Keyring, brand: Brand) -> SandboxTill:
    actor = system_actor(brand.id)
    place = await create_place(
        tx,
        actor,
        keyring,
        code="sandbox",
        name="Sandbox",
        address="1 Test Road",
        payout_threshold_fen=10_000,
    )
    till = await create_till(tx, actor, keyring, place_id=place.id, name="1")
    pin = await prepare_pin(keyring, brand.id)
    await create_clerk(tx, actor, place_id=place.id, number=CLERK_NUMBER, name="Sandbox", pin=pin)
    return SandboxTill(brand.slug, till.key, CLERK_NUMBER, pin.clear)
