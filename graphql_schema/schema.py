"""Assembly: the nouns' queries and mutations become one schema."""

from typing import Any
from uuid import UUID

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.name_converter import NameConverter

from graphql_schema import (
    clearing,
    coupon_codes,
    coupon_pools,
    issue_lists,
    netting,
    partner_issues,
    partner_redemptions,
)
from graphql_schema.access import AccessMutation
from graphql_schema.adjustments import AdjustmentMutation, AdjustmentQuery, fetch_adjustment
from graphql_schema.ages import AgeMutation
from graphql_schema.agreements import AgreementMutation, AgreementQuery, fetch_agreement
from graphql_schema.assets import AssetMutation, AssetQuery
from graphql_schema.audit_log import AuditLogQuery, fetch_act
from graphql_schema.campaign_drafts import (
    CampaignDraftMutation,
    CampaignDraftQuery,
    fetch_draft,
)
from graphql_schema.campaign_lives import CampaignLifeMutation
from graphql_schema.campaign_templates import CampaignTemplateMutation, CampaignTemplateQuery
from graphql_schema.campaigns import CampaignMutation, CampaignQuery, fetch_campaign
from graphql_schema.channel import ChannelMutation
from graphql_schema.codes import CodeMutation, CodeQuery, fetch_batch
from graphql_schema.context import Context, Info
from graphql_schema.coupon_templates import (
    CouponTemplateMutation,
    CouponTemplateQuery,
    fetch_template,
)
from graphql_schema.coupons import CouponMutation, fetch_coupon
from graphql_schema.draws import DrawQuery
from graphql_schema.event_types import fetch_event
from graphql_schema.events import EventMutation, EventQuery
from graphql_schema.holds import HoldMutation, HoldQuery, fetch_hold
from graphql_schema.ledger import LedgerMutation
from graphql_schema.locked_rewards import LockedRewardMutation, fetch_locked_reward
from graphql_schema.member_days import MemberDayMutation, MemberDayQuery
from graphql_schema.members import MemberMutation, MemberQuery, fetch_member
from graphql_schema.merges import MergeMutation
from graphql_schema.nodes import FetchNode, Node
from graphql_schema.offers import OfferMutation, OfferQuery, fetch_offer
from graphql_schema.orders import OrderMutation, OrderQuery, fetch_order
from graphql_schema.packings import PackingMutation, PackingQuery, fetch_packing
from graphql_schema.pagination import find_id
from graphql_schema.partner_keys import (
    PartnerKeyMutation,
    PartnerKeyQuery,
    fetch_partner_key,
)
from graphql_schema.payouts import PayoutQuery, fetch_payout
from graphql_schema.permissions import IsSignedIn, unguarded_fields
from graphql_schema.places import PlaceMutation, PlaceQuery, fetch_place
from graphql_schema.privileges import PrivilegeMutation
from graphql_schema.products import ProductMutation, ProductQuery, fetch_product
from graphql_schema.promotions import PromotionQuery
from graphql_schema.purchase_types import fetch_purchase
from graphql_schema.purchases import PurchaseMutation, PurchaseQuery
from graphql_schema.raffles import RaffleMutation, RaffleQuery, fetch_raffle
from graphql_schema.redemptions import (
    RedemptionMutation,
    RedemptionQuery,
    fetch_redemption,
)
from graphql_schema.referrals import ReferralMutation, ReferralQuery
from graphql_schema.refusals import RefusalHandler
from graphql_schema.regions import RegionMutation, RegionQuery
from graphql_schema.reversals import ReversalMutation
from graphql_schema.scalars import SCALAR_MAP
from graphql_schema.scan_reversals import ScanReversalMutation
from graphql_schema.scans import ScanMutation, ScanQuery, fetch_scan
from graphql_schema.segments import SegmentMutation, SegmentQuery
from graphql_schema.simulations import SimulationMutation, SimulationQuery, fetch_simulation
from graphql_schema.statements import StatementQuery
from graphql_schema.surveys import SurveyMutation, SurveyQuery
from graphql_schema.tasks import TaskMutation, TaskQuery
from graphql_schema.tiers import TierMutation, TierQuery
from graphql_schema.tills import TillMutation
from graphql_schema.webhooks import (
    WebhookMutation,
    WebhookQuery,
    fetch_delivery,
    fetch_endpoint,
)
from graphql_schema.withholdings import WithholdingMutation, WithholdingQuery


class RememberedNames(NameConverter):
    """Strawberry's names, each worked out once: it asks for every input field of every request."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, str] = {}

    def apply_naming_config(self, name: str) -> str:
        known = self._known.get(name)
        if known is None:  # names come from our own types alone, so they are few
            known = self._known[name] = super().apply_naming_config(name)
        return known


FETCH_BY_TYPE: dict[str, FetchNode] = {
    "Product": fetch_product,
    "Member": fetch_member,
    "CodeBatch": fetch_batch,
    "Packing": fetch_packing,
    "Campaign": fetch_campaign,
    "CampaignDraft": fetch_draft,
    "ScanEvent": fetch_scan,
    "LockedReward": fetch_locked_reward,
    "CouponTemplate": fetch_template,
    "Coupon": fetch_coupon,
    "Place": fetch_place,
    "Redemption": fetch_redemption,
    "Payout": fetch_payout,
    "Purchase": fetch_purchase,
    "EarningEvent": fetch_event,
    "MallOffer": fetch_offer,
    "OfferOrder": fetch_order,
    "Raffle": fetch_raffle,
    "Hold": fetch_hold,
    "Adjustment": fetch_adjustment,
    "Simulation": fetch_simulation,
    "WebhookEndpoint": fetch_endpoint,
    "WebhookDelivery": fetch_delivery,
    "Agreement": fetch_agreement,
    "ClearingStatement": clearing.fetch_statement,
    "PartnerIssue": partner_issues.fetch_issue,
    "AuditLogEntry": fetch_act,
    "IssueList": issue_lists.fetch_list,
    "ClearingEntry": clearing.fetch_entry,
    "ClearingAdjustment": clearing.fetch_adjustment,
    "NettingRun": netting.fetch_run,
    "PartnerKey": fetch_partner_key,
}


async def fetch_node(context: Context, type_name: str, id: UUID) -> Any | None:
    """A row by its global id, if the caller may see it."""
    fetch = FETCH_BY_TYPE.get(type_name)
    return None if fetch is None else await fetch(context, id)


@strawberry.type
class Query(
    MemberQuery,
    CodeQuery,
    PackingQuery,
    ScanQuery,
    CampaignQuery,
    CampaignDraftQuery,
    ProductQuery,
    PlaceQuery,
    CouponTemplateQuery,
    RedemptionQuery,
    PayoutQuery,
    PurchaseQuery,
    AssetQuery,
    HoldQuery,
    AdjustmentQuery,
    TierQuery,
    OfferQuery,
    OrderQuery,
    StatementQuery,
    DrawQuery,
    EventQuery,
    MemberDayQuery,
    WithholdingQuery,
    AuditLogQuery,
    RegionQuery,
    SegmentQuery,
    RaffleQuery,
    SimulationQuery,
    CampaignTemplateQuery,
    PromotionQuery,
    TaskQuery,
    SurveyQuery,
    ReferralQuery,
    WebhookQuery,
    AgreementQuery,
    clearing.ClearingQuery,
    netting.NettingQuery,
    partner_issues.PartnerIssueQuery,
    issue_lists.IssueListQuery,
    coupon_pools.CouponPoolQuery,
    partner_redemptions.PartnerRedemptionQuery,
    PartnerKeyQuery,
):
    @strawberry.field(graphql_type=Node | None, extensions=[IsSignedIn()])
    async def node(self, info: Info, id: strawberry.ID) -> Any:
        """Anything by its global id; null for what is not there or not the caller's to see."""
        found = find_id(id)
        return None if found is None else await fetch_node(info.context, *found)


@strawberry.type
class Mutation(
    AccessMutation,
    ScanMutation,
    LockedRewardMutation,
    ScanReversalMutation,
    MemberMutation,
    MergeMutation,
    ProductMutation,
    AgeMutation,
    CodeMutation,
    PackingMutation,
    CampaignMutation,
    CampaignDraftMutation,
    CampaignLifeMutation,
    TierMutation,
    PrivilegeMutation,
    LedgerMutation,
    AssetMutation,
    HoldMutation,
    AdjustmentMutation,
    ReversalMutation,
    PlaceMutation,
    ChannelMutation,
    TillMutation,
    CouponTemplateMutation,
    CouponMutation,
    RedemptionMutation,
    PurchaseMutation,
    OfferMutation,
    OrderMutation,
    EventMutation,
    MemberDayMutation,
    WithholdingMutation,
    RegionMutation,
    SegmentMutation,
    RaffleMutation,
    SimulationMutation,
    CampaignTemplateMutation,
    TaskMutation,
    SurveyMutation,
    ReferralMutation,
    WebhookMutation,
    AgreementMutation,
    clearing.ClearingMutation,
    netting.NettingMutation,
    partner_issues.PartnerIssueMutation,
    issue_lists.IssueListMutation,
    coupon_pools.CouponPoolMutation,
    coupon_codes.CouponCodeMutation,
    partner_redemptions.PartnerRedemptionMutation,
    PartnerKeyMutation,
):
    pass


def make_schema() -> strawberry.Schema:
    """The schema. A root field without a permission is a mistake that stops the start."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        config=StrawberryConfig(scalar_map=SCALAR_MAP, name_converter=RememberedNames()),
        exception_handlers=[RefusalHandler()],
    )
    unguarded = unguarded_fields(schema)
    if unguarded:
        raise LookupError(f"fields without a permission: {', '.join(unguarded)}")
    return schema
