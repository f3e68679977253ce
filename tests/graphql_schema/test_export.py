"""The schema as committed is the schema as it is, and its types copy nothing they need not."""

import types
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLObjectType,
    get_named_type,
    is_non_null_type,
)
from sqlalchemy import BigInteger
from sqlmodel import SQLModel
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.types.field import StrawberryField

from graphql_schema.campaign_drafts import DraftView
from graphql_schema.campaigns import CampaignView
from graphql_schema.channel_shares import Share
from graphql_schema.export import SDL_FILE, WEBHOOKS_FOLDER, sdl, webhook_schemas
from graphql_schema.offer_types import OfferView
from graphql_schema.privileges import HeldPrivilege
from graphql_schema.schema import make_schema
from graphql_schema.tier_types import TierView
from graphql_schema.unspent_credits import CampaignOrigin, CreditView
from loyalty.adjustments.models import Adjustment
from loyalty.assets.models import AssetDefinition
from loyalty.assets.rules import Expiry
from loyalty.audit_log import AuditLogEntry
from loyalty.codes.models import CodeBatch
from loyalty.holds.models import Hold
from loyalty.ledger import history
from loyalty.ledger.queries import BalanceRow, EntryRow
from loyalty.members.models import Member
from loyalty.packings.models import Packing
from loyalty.partner_keys.models import PartnerKey, PartnerKeyUse
from loyalty.places.models import Clerk, Place, Till
from loyalty.products.models import Product
from loyalty.regions.models import Region
from loyalty.segments.queries import SegmentView
from loyalty.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from loyalty.withholdings.queries import WithheldRow
from rewards.alliances.models import Agreement, AgreementVersion
from rewards.campaigns import rules as campaign_rules
from rewards.clearing.models import (
    ClearingAdjustment,
    ClearingEntry,
    ClearingPosition,
    ClearingStatement,
)
from rewards.coupons.models import CouponTemplate
from rewards.coupons.states import CouponView
from rewards.draws.models import DrawSeed
from rewards.event_types.models import EventType
from rewards.events.models import EarningEvent
from rewards.grants.models import LockedReward
from rewards.issues.models import IssueList, PartnerIssue, PoolMove
from rewards.issues.queries import PoolView
from rewards.netting.models import NettingLeg, NettingRun
from rewards.offers import terms
from rewards.offers.rules import Mine
from rewards.orders.models import OfferOrder, OfferOrderPart
from rewards.payouts.models import Payout, PayoutReport
from rewards.purchases.models import PurchaseEvent, PurchaseLine
from rewards.raffles import rules as raffle_rules
from rewards.raffles.models import Raffle, RaffleEntry, RaffleWinner
from rewards.redemptions.models import Redemption, RedemptionEvent
from rewards.redemptions.rules import CouponAtTill, PartnersCoupon, Taken
from rewards.referrals.models import Referral
from rewards.referrals.service import CodeStanding
from rewards.returns.models import (
    PurchaseReturn,
    PurchaseReturnLine,
    PurchaseReturnTaking,
)
from rewards.scans.models import ScanEvent
from rewards.simulations.models import Simulation
from rewards.surveys.models import Survey, SurveyAnswer
from rewards.surveys.service import SurveyStanding
from rewards.tasks.models import Task
from rewards.tasks.service import TaskStanding
from tests.graphql_schema.arguments import CORE
from tiers.ladders.periods import PeriodRule
from tiers.ladders.rules import LadderView, Level
from tiers.privileges.rules import Privilege
from tiers.standings.models import StandingChange
from tiers.standings.progress import Keep, Rise

ROW_OF_TYPE: dict[str, type] = {
    "Balance": BalanceRow,
    "Campaign": CampaignView,
    "CampaignDraft": DraftView,
    "Cap": campaign_rules.Cap,
    "ChannelShare": Share,
    "ChannelTaking": PurchaseReturnTaking,
    "Clerk": Clerk,
    "CodeBatch": CodeBatch,
    "Packing": Packing,
    "Coupon": CouponView,
    "CouponAtTill": CouponAtTill,
    "CouponOutcome": campaign_rules.CouponOutcome,
    "CouponTakenBy": Taken,
    "PartnersCoupon": PartnersCoupon,
    "CouponTemplate": CouponTemplate,
    "Entry": EntryRow,
    "Level": Level,
    "Member": Member,
    "Offer": CouponTemplate,
    "Outcome": campaign_rules.Outcome,
    "Payout": Payout,
    "PayoutReport": PayoutReport,
    "Place": Place,
    "Product": Product,
    "Redemption": Redemption,
    "RedemptionEvent": RedemptionEvent,
    "ScanEvent": ScanEvent,
    "Ladder": LadderView,
    "QualifyingPeriod": PeriodRule,
    "Tier": TierView,
    "TierChange": StandingChange,
    "TierKeep": Keep,
    "TierRise": Rise,
    "Till": Till,
    "DrawSeed": DrawSeed,
    "Raffle": Raffle,
    "RaffleEntry": RaffleEntry,
    "RafflePrize": raffle_rules.Prize,
    "RaffleStep": raffle_rules.Step,
    "RaffleWinner": RaffleWinner,
    "Adjustment": Adjustment,
    "Asset": AssetDefinition,
    "AssetAmount": terms.Part,
    "BalanceAt": history.BalanceAt,
    "BrandBook": history.BookOfAsset,
    "CreditCampaign": CampaignOrigin,
    "CreditPurchase": PurchaseEvent,
    "CreditScan": ScanEvent,
    "ExpiringLot": history.ExpiringLot,
    "ExpiryPolicy": Expiry,
    "Hold": Hold,
    "LockedReward": LockedReward,
    "MallOffer": OfferView,
    "MemberPrivilege": HeldPrivilege,
    "MyOfferTerms": Mine,
    "OfferCoupon": CouponTemplate,
    "OfferLimit": terms.RankLimit,
    "OfferOrder": OfferOrder,
    "OfferPrice": terms.RankPrice,
    "OrderPart": OfferOrderPart,
    "Privilege": Privilege,
    "EarningEvent": EarningEvent,
    "EventType": EventType,
    "Purchase": PurchaseEvent,
    "PurchaseLine": PurchaseLine,
    "PurchaseReturn": PurchaseReturn,
    "PurchaseReturnLine": PurchaseReturnLine,
    "PurchaseReturnTaking": PurchaseReturnTaking,
    "UnspentPart": CreditView,
    "Task": Task,
    "Survey": Survey,
    "Region": Region,
    "Segment": SegmentView,
    "Referral": Referral,
    "ReferralCode": CodeStanding,
    "SurveyAnswer": SurveyAnswer,
    "Simulation": Simulation,
    "Agreement": Agreement,
    "AgreementVersion": AgreementVersion,
    "ClearingAdjustment": ClearingAdjustment,
    "ClearingEntry": ClearingEntry,
    "ClearingPosition": ClearingPosition,
    "ClearingStatement": ClearingStatement,
    "NettingLeg": NettingLeg,
    "NettingRun": NettingRun,
    "PartnerKey": PartnerKey,
    "PartnerKeyUse": PartnerKeyUse,
    "PartnerIssue": PartnerIssue,
    "IssueList": IssueList,
    "CouponPool": PoolView,
    "CouponPoolMove": PoolMove,
    "WebhookAttempt": WebhookAttempt,
    "WebhookDelivery": WebhookDelivery,
    "WebhookEndpoint": WebhookEndpoint,
    "MemberSurvey": SurveyStanding,
    "MemberTask": TaskStanding,
    "AuditLogEntry": AuditLogEntry,
    "Withholding": WithheldRow,
}
"""The row behind each type that resolvers answer with rows."""

MADE_BY_RESOLVERS = {
    "MatchSecret",
    "MatchedMembers",
    *("EventField", "EventReward", "PostedEvent", "MemberDay"),
    *("SurveyQuestion", "SurveyOption", "QuestionAnswer"),
    *("Query", "Mutation", "PageInfo", "Refused", "RejectedRosterEntry"),
    *("Item", "Sighting", "Budget", "DraftBudget", "DayFigures", "HourOfScans"),
    *("Reward", "ScanBalance", "ScanCoupon", "ScanTier", "UnlockedReward"),
    *("Desk", "Rebates", "WithheldTax", "WithholdingTerms"),
    *("PendingLevel", "LadderMove", "LadderPreview"),
    *("PurchaseReward", "PurchaseTier", "MergedAsset", "ReversedLeg"),
    *("BeneficiaryReturnPolicy", "OutcomeLock", "OutcomeStep", "RewardLock"),
    *("Bonus", "BonusTerms", "CampaignTemplate", "Promotion", "DrawBudget"),
    "WebhookEventType",
    *("AgreementTerms", "AgreementFunding", "AgreementLine", "AgreementQuota", "CostShare"),
    *("SimulationReport", "SimulatedCost", "SimulatedReason", "SimulatedPrize"),
    *(
        "SimulatedShortage",
        "SimulatedCoupons",
        "SimulatedCouponDay",
        "SimulatedBudget",
        "SimulatedBonusReason",
    ),
    *("CampaignDraw", "DrawPrize", "DrawStage", "DrawEntry", "DrawBonus", "DrawGuarantee"),
    *("ScanDraw", "DrawnPrize", "DrawnBonus", "DrawnFact", "DrawnWeight", "DrawExhausted"),
}
"""Types whose instances resolvers make themselves; receipts, connections and edges too."""

SCALARS_OF = {
    str: {"String", "AssetCode"},
    int: {"Int", "BigInt"},
    bool: {"Boolean"},
    float: {"Float"},
    UUID: {"ID"},
    datetime: {"DateTime"},
    date: {"Date"},
}


def test_the_committed_schema_is_the_exported_one() -> None:
    assert SDL_FILE.read_text() == sdl(make_schema()), "type: make schema"


def test_the_committed_schemas_of_webhooks_are_the_exported_ones() -> None:
    files = webhook_schemas()
    assert {path: path.read_text() for path in files} == files, "type: make schema"
    assert set(WEBHOOKS_FOLDER.iterdir()) >= set(files)  # older versions stay


def object_types() -> dict[str, GraphQLObjectType]:
    return {
        name: kind
        for name, kind in CORE.type_map.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
    }


def definition_of(name: str) -> StrawberryObjectDefinition:
    extensions = object_types()[name].extensions
    definition: StrawberryObjectDefinition = extensions["strawberry-definition"]
    return definition


def plain_fields(name: str) -> list[StrawberryField]:
    """The fields that are read off the row as they are."""
    return [field for field in definition_of(name).fields if field.base_resolver is None]


def test_every_type_is_of_a_row_or_made_by_a_resolver() -> None:
    told = set(ROW_OF_TYPE) | MADE_BY_RESOLVERS
    rest = {name for name in object_types() if not name.endswith(("Receipt", "Connection", "Edge"))}
    assert rest == told


@pytest.mark.parametrize("name", sorted(ROW_OF_TYPE))
def test_a_types_plain_fields_are_its_rows(name: str) -> None:
    row = ROW_OF_TYPE[name]
    hints = row_hints(row)
    graphql_type = object_types()[name]
    for field in plain_fields(name):
        where = f"{name}.{field.python_name}"
        assert field.python_name in hints, f"{where}: {row.__name__} has no such attribute"
        hint, optional = split_optional(hints[field.python_name])
        shown = graphql_type.fields[field.graphql_name or camel(field.python_name)].type
        assert is_non_null_type(shown) is not optional, f"{where}: null here and not there"
        named = get_named_type(shown)
        if hint in SCALARS_OF and not isinstance(named, GraphQLEnumType):
            assert named.name in SCALARS_OF[hint], where
        if is_big(row, field.python_name):
            assert named.name == "BigInt", f"{where}: outgrows GraphQL's Int"


def row_hints(row: type) -> dict[str, Any]:
    """The attributes of a row and what they hold."""
    if issubclass(row, SQLModel):
        return {name: info.annotation for name, info in row.model_fields.items()}
    hints = get_type_hints(row)
    if is_dataclass(row):
        named = {field.name: hints[field.name] for field in fields(row)}
    else:
        assert issubclass(row, tuple)
        named = {name: hints[name] for name in row._fields}  # type: ignore[attr-defined]
    properties = {
        name: get_type_hints(value.fget)["return"]
        for name, value in vars(row).items()
        if isinstance(value, property) and value.fget is not None
    }
    return named | properties


def split_optional(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint):
        [inner] = [part for part in get_args(hint) if part is not type(None)]
        return inner, True
    return hint, False


def is_big(row: type, name: str) -> bool:
    table = getattr(row, "__table__", None)
    return table is not None and isinstance(table.columns[name].type, BigInteger)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def test_nothing_that_must_stay_inside_is_shown() -> None:
    kept = {"brand_id", "password_hash", "phone_hash", "phone_cipher", "device_hash", "wrapped_key"}
    for name in object_types():
        shown = {field.python_name for field in definition_of(name).fields}
        assert not shown & kept, name
