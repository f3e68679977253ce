"""What operators see of agreements: each side its own copy, and the sides as it stands to them."""

from datetime import date, datetime
from functools import partial
from uuid import UUID

import strawberry

from graphql_schema.context import Info
from graphql_schema.enums import (
    AgreementSide,
    AgreementStatus,
    AgreementVersionStatus,
    FundingKind,
    QuotaWindow,
    ShareRounding,
    StatementPeriod,
)
from graphql_schema.loaders import rows_loader
from graphql_schema.nodes import Node, id_field
from graphql_schema.pagination import encode_id
from graphql_schema.scalars import BigInt
from rewards.alliances import queries, terms
from rewards.alliances.models import Agreement as AgreementRow
from rewards.alliances.models import AgreementVersion as VersionRow
from rewards.alliances.rules import is_paused

VERSIONS_MAX = 100

_versions = rows_loader(
    partial(queries.list_versions, newest=VERSIONS_MAX), lambda row: row.agreement_id
)


@strawberry.type(description="What one side bears of a coupon's value: fen, or ten-thousandths.")
class CostShare:
    fen: BigInt | None
    basis_points: int | None


@strawberry.type
class AgreementQuota:
    window: QuotaWindow
    count_max: int
    campaign: str | None = strawberry.field(description="Null: of all coupons of the line.")


@strawberry.type(description="How a side that issues the other's coupons pays for them.")
class AgreementFunding:
    issuer: AgreementSide
    kind: FundingKind
    limit_fen: BigInt = strawberry.field(description="Of the credit; 0 for PREPAID.")
    warning_fen: BigInt = strawberry.field(description="It is warned when less is left.")


@strawberry.type(description="One template of the host's: who issues it, and who bears what.")
class AgreementLine:
    template_id: strawberry.ID
    template_code: str
    name_zh: str
    name_en: str
    value_fen: BigInt = strawberry.field(description="What a store is credited for one coupon.")
    host: AgreementSide
    issuer: AgreementSide
    redeemers: list[AgreementSide]
    issuer_share: CostShare
    host_share: CostShare
    rounding: ShareRounding
    issue_fee_fen: BigInt
    redeem_fee_fen: BigInt
    pooled: bool
    quotas: list[AgreementQuota]


@strawberry.type
class AgreementTerms:
    timezone: str = strawberry.field(description="Of the days of quotas and statements.")
    first_on: date
    last_on: date | None
    statement_period: StatementPeriod
    funding: list[AgreementFunding]
    lines: list[AgreementLine]


def _side(brand_id: UUID, own_id: UUID) -> AgreementSide:
    return AgreementSide.OWN if brand_id == own_id else AgreementSide.PARTNER


def _line(line: terms.Line, own_id: UUID) -> AgreementLine:
    return AgreementLine(
        template_id=encode_id("CouponTemplate", line.template_id),
        template_code=line.template_code,
        name_zh=line.name_zh,
        name_en=line.name_en,
        value_fen=BigInt(line.value_fen),
        host=_side(line.host_id, own_id),
        issuer=_side(line.issuer_id, own_id),
        redeemers=[_side(id, own_id) for id in line.redeemer_ids],
        issuer_share=_share(line.issuer_share),
        host_share=_share(line.host_share),
        rounding=line.rounding,
        issue_fee_fen=BigInt(line.issue_fee_fen),
        redeem_fee_fen=BigInt(line.redeem_fee_fen),
        pooled=line.pooled,
        quotas=[
            AgreementQuota(window=q.window, count_max=q.count_max, campaign=q.campaign)
            for q in line.quotas
        ],
    )


def _share(share: terms.Share) -> CostShare:
    fen = None if share.fen is None else BigInt(share.fen)
    return CostShare(fen=fen, basis_points=share.basis_points)


def terms_shown(version: VersionRow) -> AgreementTerms:
    """A version's terms as the brand whose copy it is sees them."""
    read, own_id = terms.terms_of(version.terms), version.brand_id
    return AgreementTerms(
        timezone=read.timezone,
        first_on=read.first_on,
        last_on=read.last_on,
        statement_period=read.statement_period,
        funding=[
            AgreementFunding(
                issuer=_side(each.brand_id, own_id),
                kind=each.kind,
                limit_fen=BigInt(each.limit_fen),
                warning_fen=BigInt(each.warning_fen),
            )
            for each in read.funding
        ],
        lines=[_line(line, own_id) for line in read.lines],
    )


@strawberry.type(description="Terms under a number. They are in force once both sides have signed.")
class AgreementVersion:
    number: int
    digest: str = strawberry.field(description="SHA-256 of the text in hex: what is signed.")
    proposed_at: datetime
    signed_at: datetime | None = strawberry.field(description="By the brand itself.")
    partner_signed_at: datetime | None
    in_force_from: datetime | None
    in_force_until: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, VersionRow | cls)

    @strawberry.field
    def status(self, row: strawberry.Parent[VersionRow]) -> AgreementVersionStatus:
        return AgreementVersionStatus(row.status)

    @strawberry.field
    def proposed_by(self, row: strawberry.Parent[VersionRow]) -> AgreementSide:
        return AgreementSide.OWN if row.is_ours else AgreementSide.PARTNER

    @strawberry.field(description="The text that is signed: JSON, the same letter by letter.")
    def text(self, row: strawberry.Parent[VersionRow]) -> str:
        return row.terms

    @strawberry.field
    def terms(self, row: strawberry.Parent[VersionRow]) -> AgreementTerms:
        return terms_shown(row)


@strawberry.type(description="What the brand has agreed on with a partner (docs/alliance.md).")
class Agreement(Node):
    id: strawberry.ID = id_field("Agreement")
    partner_slug: str
    partner_name: str
    created_at: datetime
    ended_at: datetime | None
    paused_at: datetime | None = strawberry.field(description="By the brand itself.")
    partner_paused_at: datetime | None

    @classmethod
    def is_type_of(cls, obj: object, _info: object) -> bool:
        return isinstance(obj, AgreementRow | cls)

    @strawberry.field
    def status(self, row: strawberry.Parent[AgreementRow]) -> AgreementStatus:
        return AgreementStatus(row.status)

    @strawberry.field(description="Whether either side has paused it: nobody issues under it.")
    def paused(self, row: strawberry.Parent[AgreementRow]) -> bool:
        return is_paused(row)

    @strawberry.field(
        graphql_type=list[AgreementVersion], description="The newest hundred, newest first."
    )
    async def versions(self, row: strawberry.Parent[AgreementRow], info: Info) -> list[VersionRow]:
        return await info.context.loader(_versions).load(row.id)
