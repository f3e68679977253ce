"""Agreements (联盟协议): proposed by marketing, signed by finance of both brands."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

import strawberry

from graphql_schema.agreement_types import Agreement
from graphql_schema.clearing import fetch_own
from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import (
    AgreementSide,
    FundingKind,
    QuotaWindow,
    ShareRounding,
    StatementPeriod,
)
from graphql_schema.member_lists import page_of_brand
from graphql_schema.nodes import local_id
from graphql_schema.pagination import Connection
from graphql_schema.permissions import HasGrant, HasGrantOrScope
from graphql_schema.refusals import Refused
from graphql_schema.scalars import BigInt
from loyalty.actor import Actor, Grant, Scope
from loyalty.brands.service import get_brand_by_slug
from loyalty.db import Tx
from rewards.alliances import queries, service
from rewards.alliances.models import Agreement as AgreementRow
from rewards.alliances.terms import Draft, DraftLine, Funding, Quota, Share
from rewards.issues import pools


@strawberry.input(description="Either fen or ten-thousandths of a coupon's value.")
class CostShareInput:
    fen: BigInt | None = None
    basis_points: int | None = None


@strawberry.input
class AgreementQuotaInput:
    window: QuotaWindow
    count_max: int
    campaign: str | None = strawberry.field(
        default=None,
        description="Of the issuer's coupons of this campaign alone. Where quotas name campaigns,"
        " each coupon is of one of these.",
    )


@strawberry.input
class AgreementFundingInput:
    issuer: AgreementSide
    kind: FundingKind
    limit_fen: BigInt = strawberry.field(default=BigInt(0), description="Of POSTPAID.")
    warning_fen: BigInt = BigInt(0)


def _nothing() -> CostShareInput:
    return CostShareInput(fen=BigInt(0))


@strawberry.input(
    description="One template: the brand's own, or one of the partner's that is in the terms."
)
class AgreementLineInput:
    template_id: strawberry.ID
    issuer: AgreementSide = strawberry.field(description="Who issues it to the host's members.")
    redeemers: list[AgreementSide] = strawberry.field(description="At whose tills it is good.")
    issuer_share: CostShareInput
    host_share: CostShareInput = strawberry.field(
        default_factory=_nothing, description="What neither bears, the redeemer bears."
    )
    rounding: ShareRounding = ShareRounding.HALF_UP
    issue_fee_fen: BigInt = strawberry.field(
        default=BigInt(0), description="For each coupon issued, owed by the issuer to the host."
    )
    redeem_fee_fen: BigInt = BigInt(0)
    quotas: list[AgreementQuotaInput] = strawberry.field(default_factory=list)
    pooled: bool = strawberry.field(
        default=False,
        description="The issuer puts coupons into a pool; the host's campaigns give them out.",
    )


@strawberry.input
class AgreementTermsInput:
    first_on: date
    last_on: date | None = None
    statement_period: StatementPeriod = StatementPeriod.MONTH
    funding: list[AgreementFundingInput] = strawberry.field(
        default_factory=list, description="One for each side that issues coupons of the other's."
    )
    lines: list[AgreementLineInput]


@strawberry.input
class ProposeAgreementInput:
    idempotency_key: strawberry.ID
    partner_slug: str
    terms: AgreementTermsInput


@strawberry.input
class SignAgreementInput:
    idempotency_key: strawberry.ID
    agreement_id: strawberry.ID
    digest: str = strawberry.field(description="Of the text that was read.")


@strawberry.input
class PauseAgreementInput:
    idempotency_key: strawberry.ID
    agreement_id: strawberry.ID
    reason: str = strawberry.field(description="The partner is told.")


@strawberry.input
class ResumeAgreementInput:
    idempotency_key: strawberry.ID
    agreement_id: strawberry.ID


@strawberry.input
class EndAgreementInput:
    idempotency_key: strawberry.ID
    agreement_id: strawberry.ID
    reason: str = strawberry.field(description="The partner is told.")


@strawberry.type
class ProposeAgreementReceipt:
    replayed: bool
    agreement: AgreementRow = strawberry.field(graphql_type=Agreement)


@strawberry.type
class SignAgreementReceipt:
    replayed: bool
    agreement: AgreementRow = strawberry.field(graphql_type=Agreement)


@strawberry.type
class PauseAgreementReceipt:
    replayed: bool
    agreement: AgreementRow = strawberry.field(graphql_type=Agreement)


@strawberry.type
class ResumeAgreementReceipt:
    replayed: bool
    agreement: AgreementRow = strawberry.field(graphql_type=Agreement)


@strawberry.type
class EndAgreementReceipt:
    replayed: bool
    agreement: AgreementRow = strawberry.field(graphql_type=Agreement)


ProposeAgreementResult = Annotated[
    ProposeAgreementReceipt | Refused, strawberry.union("ProposeAgreementResult")
]
SignAgreementResult = Annotated[
    SignAgreementReceipt | Refused, strawberry.union("SignAgreementResult")
]
PauseAgreementResult = Annotated[
    PauseAgreementReceipt | Refused, strawberry.union("PauseAgreementResult")
]
ResumeAgreementResult = Annotated[
    ResumeAgreementReceipt | Refused, strawberry.union("ResumeAgreementResult")
]
EndAgreementResult = Annotated[
    EndAgreementReceipt | Refused, strawberry.union("EndAgreementResult")
]


async def fetch_agreement(context: Context, id: UUID) -> AgreementRow | None:
    """For ``node``: operators of either side, each its own copy."""
    return await fetch_own(context, AgreementRow, id)


async def _agreement(context: Context, reply: dict[str, Any]) -> AgreementRow:
    async with context.database.snapshot() as snapshot:
        return await queries.get_agreement(
            snapshot, context.caller.brand_id, UUID(hex=reply["agreement_id"])
        )


def _draft(input: AgreementTermsInput, own_id: UUID, partner_id: UUID) -> Draft:
    """The sides as brands."""
    brand_of = {AgreementSide.OWN: own_id, AgreementSide.PARTNER: partner_id}
    return Draft(
        first_on=input.first_on,
        last_on=input.last_on,
        statement_period=input.statement_period,
        funding=tuple(
            Funding(brand_of[each.issuer], each.kind, each.limit_fen, each.warning_fen)
            for each in input.funding
        ),
        lines=tuple(
            DraftLine(
                template_id=local_id("CouponTemplate", line.template_id),
                issuer_id=brand_of[line.issuer],
                redeemer_ids=tuple(brand_of[side] for side in line.redeemers),
                issuer_share=Share(line.issuer_share.fen, line.issuer_share.basis_points),
                host_share=Share(line.host_share.fen, line.host_share.basis_points),
                rounding=line.rounding,
                issue_fee_fen=line.issue_fee_fen,
                redeem_fee_fen=line.redeem_fee_fen,
                quotas=tuple(
                    Quota(each.window, each.count_max, each.campaign) for each in line.quotas
                ),
                pooled=line.pooled,
            )
            for line in input.lines
        ),
    )


@strawberry.type
class AgreementQuery:
    @strawberry.field(
        graphql_type=Connection[Agreement],
        extensions=[HasGrantOrScope(Grant.READ, Scope.READ_COUPONS)],
    )
    async def agreements(
        self, info: Info, first: int | None = None, after: str | None = None
    ) -> Connection[AgreementRow]:
        """The brand's agreements with partners, newest first."""
        return await page_of_brand(info.context, queries.list_agreements, first, after)


@strawberry.type
class AgreementMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.ALLIANCE)])
    async def propose_agreement(
        self, info: Info, input: ProposeAgreementInput
    ) -> ProposeAgreementResult:
        """Propose terms to a partner: a first agreement, or the next version of the one there is.
        What was proposed before is withdrawn."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            partner = await get_brand_by_slug(tx, input.partner_slug)
            draft = _draft(input.terms, actor.brand_id, partner.id)
            version = await service.propose(tx, actor, input.partner_slug, draft)
            return {"agreement_id": version.agreement_id.hex}

        reply, replayed = await effect_once(info.context, "proposeAgreement", input, verb)
        agreement = await _agreement(info.context, reply)
        return ProposeAgreementReceipt(replayed=replayed, agreement=agreement)

    @strawberry.mutation(extensions=[HasGrant(Grant.CLEARING)])
    async def sign_agreement(self, info: Info, input: SignAgreementInput) -> SignAgreementResult:
        """Sign the proposed version for the brand. With the second side's signature it is in force
        at once."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            agreement_id = local_id("Agreement", input.agreement_id)
            version = await service.sign(tx, actor, agreement_id, input.digest)
            return {"agreement_id": version.agreement_id.hex}

        reply, replayed = await effect_once(info.context, "signAgreement", input, verb)
        agreement = await _agreement(info.context, reply)
        return SignAgreementReceipt(replayed=replayed, agreement=agreement)

    @strawberry.mutation(extensions=[HasGrant(Grant.ALLIANCE)])
    async def pause_agreement(self, info: Info, input: PauseAgreementInput) -> PauseAgreementResult:
        """Stop issuing under an agreement at once. What was issued stays good."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            agreement_id = local_id("Agreement", input.agreement_id)
            row = await service.pause_agreement(tx, actor, agreement_id, input.reason)
            return {"agreement_id": row.id.hex}

        reply, replayed = await effect_once(info.context, "pauseAgreement", input, verb)
        agreement = await _agreement(info.context, reply)
        return PauseAgreementReceipt(replayed=replayed, agreement=agreement)

    @strawberry.mutation(extensions=[HasGrant(Grant.ALLIANCE)])
    async def resume_agreement(
        self, info: Info, input: ResumeAgreementInput
    ) -> ResumeAgreementResult:
        """End the brand's own pause."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            agreement_id = local_id("Agreement", input.agreement_id)
            row = await service.resume_agreement(tx, actor, agreement_id)
            return {"agreement_id": row.id.hex}

        reply, replayed = await effect_once(info.context, "resumeAgreement", input, verb)
        agreement = await _agreement(info.context, reply)
        return ResumeAgreementReceipt(replayed=replayed, agreement=agreement)

    @strawberry.mutation(extensions=[HasGrant(Grant.CLEARING)])
    async def end_agreement(self, info: Info, input: EndAgreementInput) -> EndAgreementResult:
        """End an agreement for good. What was issued stays good, and is cleared as agreed."""

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            agreement_id = local_id("Agreement", input.agreement_id)
            row = await pools.end_agreement(tx, actor, agreement_id, input.reason)
            return {"agreement_id": row.id.hex}

        reply, replayed = await effect_once(info.context, "endAgreement", input, verb)
        agreement = await _agreement(info.context, reply)
        return EndAgreementReceipt(replayed=replayed, agreement=agreement)
