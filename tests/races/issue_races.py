"""Races of a partner that issues a host's coupons; as ``scan_races.py``."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlmodel import col, update

from graphql_schema.pagination import encode_id
from loyalty.actor import Scope
from loyalty.db import Tx
from loyalty.ids import new_id
from loyalty.partner_keys.service import create_key
from rewards.alliances.terms import Funding, FundingKind, Quota, QuotaWindow
from rewards.clearing.models import ClearingAdjustment, EntryKind
from rewards.clearing.rules import Due
from rewards.clearing.service import post
from rewards.clearing.statements import PROPOSED_MAX
from rewards.coupons.models import Coupon, CouponTemplate
from tests.races.alliance_races import call
from tests.races.arena import Arena, Broken
from tests.races.stage import said
from tests.races.wire import ask_once, release_at_once, request_bytes
from tests.rewards.alliances.agreed import agree
from tests.rewards.issues.partners import Issuers, make_issuers
from tests.rewards.payouts.stores import rows

ISSUE = """mutation Race($input: IssuePartnersCouponInput!) { issuePartnersCoupon(input: $input) {
  __typename ... on Refused { code } } }"""
PAUSE = """mutation Race($input: PauseAgreementInput!) { pauseAgreement(input: $input) {
  __typename ... on Refused { code } } }"""
PROPOSE = """mutation Race($input: ProposeClearingAdjustmentInput!) {
  proposeClearingAdjustment(input: $input) { __typename ... on Refused { code } } }"""

LEFT = 10
EACH_FEN = 5 + 210 + 7
"""Of 350: the fee of issuing at once; 60 percent and the fee of redeeming, reserved."""
MEMBERS = 4
ISSUED = "IssuePartnersCouponReceipt"
MANY = Quota(QuotaWindow.ALL, 100_000)
FIRST_TRIES_MAX = 400
AMPLE_FEN = 10**9


@dataclass(frozen=True, slots=True)
class Desk:
    """A pair that has agreed, and a key of the issuer's."""

    issuers: Issuers
    key: str

    @property
    def host_id(self) -> UUID:
        return self.issuers.pair.host.id

    def requests(self, size: int) -> list[bytes]:
        """So many coupons, of a few members in turn."""
        return [self._issue(number % MEMBERS) for number in range(size)]

    def _issue(self, number: int) -> bytes:
        input = {
            "idempotencyKey": str(new_id()),
            "agreementId": encode_id("Agreement", self.issuers.agreement_id),
            "templateId": encode_id("CouponTemplate", self.issuers.pair.template.id),
            "memberToken": self.issuers.token(number),
        }
        return request_bytes(self.key, ISSUE, {"input": input})

    async def told(self, arena: Arena, size: int) -> Counter[str]:
        """What is answered to so many at once."""
        answers = await release_at_once(arena.ports, self.requests(size))
        return told(answers, "issuePartnersCoupon")

    async def issued(self) -> set[UUID]:
        """The host's coupons, as they are there now."""
        found = await rows(self.issuers.db, Coupon)
        return {coupon.id for coupon in found if coupon.brand_id == self.host_id}


def told(answers: Sequence[dict[str, Any]], field: str) -> Counter[str]:
    replies = [said(answer, field) for answer in answers]
    return Counter(str(r.get("code", r.get("fault", r["__typename"]))) for r in replies)


async def _open(arena: Arena, slug: str, *, quota: Quota = MANY, prepaid: bool = False) -> Desk:
    """On ample credit, or with what has been paid in for LEFT coupons, to the fen."""
    stage = arena.stage(slug)
    issuers = await make_issuers(arena.db, stage.keyring, MEMBERS, quotas=(quota,))
    pair = issuers.pair
    stage.slug = pair.partner.slug
    kind, limit_fen = (FundingKind.PREPAID, 0) if prepaid else (FundingKind.POSTPAID, AMPLE_FEN)
    funding = Funding(pair.partner.id, kind, limit_fen, 0)
    await arena.db.in_transaction(
        agree, pair, replace(pair.draft(quotas=(quota,)), funding=(funding,))
    )
    if prepaid:
        paid = Due(
            debtor_id=pair.host.id,
            creditor_id=pair.partner.id,
            kind=EntryKind.PAYMENT,
            amount_fen=LEFT * EACH_FEN,
        )
        await arena.db.in_transaction(post, pair.hosts, [paid])
    made = await arena.db.in_transaction(
        create_key,
        pair.partners,
        name="races",
        scopes=[Scope.ISSUE_COUPONS],
        networks=[],
        requests_per_minute=60_000,
    )
    return Desk(issuers, made.key)


async def _stops_at_the_last(arena: Arena, desk: Desk, size: int, code: str) -> Broken:
    broken = Broken()
    ends = await desk.told(arena, size)
    broken.unless(ends == {ISSUED: LEFT, code: size - LEFT}, f"{LEFT} are issued, not {dict(ends)}")
    made = len(await desk.issued())
    broken.unless(made == LEFT, f"{LEFT} are there, not {made}")
    return broken


async def a_quota_is_issued_to_its_last(arena: Arena, size: int) -> Broken:
    """A quota of ten coupons, and a crowd of requests for one each: ten are issued."""
    desk = await _open(arena, "quota", quota=Quota(QuotaWindow.ALL, LEFT))
    return await _stops_at_the_last(arena, desk, size, "ISSUE_QUOTA_REACHED")


async def what_is_paid_in_is_issued_to_the_fen(arena: Arena, size: int) -> Broken:
    """Paid in for ten coupons: ten are issued, and nothing is left or lacking."""
    desk = await _open(arena, "funds", prepaid=True)
    broken = await _stops_at_the_last(arena, desk, size, "FUNDS_TOO_LOW")
    used_fen = sum(await desk.issuers.funds())
    broken.unless(used_fen == 0, f"all that was paid in is used, not {used_fen} fen beyond it")
    return broken


async def a_templates_stock_is_issued_to_its_last(arena: Arena, size: int) -> Broken:
    """Ten coupons in stock: ten are issued."""
    desk = await _open(arena, "stock")
    await arena.db.in_transaction(_stock, desk.issuers.pair.template.id)
    return await _stops_at_the_last(arena, desk, size, "OUT_OF_STOCK")


async def _stock(tx: Tx, /, template_id: UUID) -> None:
    await tx.session.exec(
        update(CouponTemplate)
        .where(col(CouponTemplate.id) == template_id)
        .values(stock_max=LEFT)
        .execution_options(synchronize_session=False)
    )


async def nothing_is_issued_after_a_pause(arena: Arena, size: int) -> Broken:
    """The host pauses while a crowd of requests is under way: once it has its answer, not one
    coupon more is issued."""
    broken = Broken()
    desk = await _open(arena, "pause")
    pause = call(
        desk.host_id,
        PAUSE,
        agreementId=encode_id("Agreement", desk.issuers.agreement_id),
        reason="race",
    )
    issuing = asyncio.create_task(release_at_once(arena.ports, desk.requests(size)))
    for _ in range(FIRST_TRIES_MAX):
        if await desk.issued():
            break
        await asyncio.sleep(0.005)
    answer = said(await ask_once(arena.ports[0], pause), "pauseAgreement")
    by_then = await desk.issued()
    ends = told(await issuing, "issuePartnersCoupon")
    broken.unless(answer["__typename"] == "PauseAgreementReceipt", f"it is paused, not {answer}")
    late = await desk.issued() - by_then
    broken.unless(not late, f"nothing is issued after the pause, not {len(late)}")
    told_of = ends[ISSUED], ends["AGREEMENT_STATE_WRONG"]
    wanted = len(by_then), size - len(by_then)
    broken.unless(told_of == wanted, f"before it issued, after it refused, not {dict(ends)}")
    return broken


async def proposed_adjustments_are_limited(arena: Arena, size: int) -> Broken:
    """More adjustments than a side may have open, proposed at once: as many as it may."""
    broken = Broken()
    desk = await _open(arena, "adjustments")
    pair = desk.issuers.pair
    proposals = [
        call(pair.host.id, PROPOSE, partnerSlug=pair.partner.slug, owedFen=1, reason="race")
        for _ in range(PROPOSED_MAX + size)
    ]
    ends = told(await release_at_once(arena.ports, proposals), "proposeClearingAdjustment")
    wanted = {"ProposeClearingAdjustmentReceipt": PROPOSED_MAX, "TOO_MANY_OPEN": size}
    broken.unless(ends == wanted, f"{PROPOSED_MAX} are taken, not {dict(ends)}")
    made = [row for row in await rows(arena.db, ClearingAdjustment) if row.brand_id == desk.host_id]
    broken.unless(len(made) == PROPOSED_MAX, f"{PROPOSED_MAX} are open, not {len(made)}")
    return broken
