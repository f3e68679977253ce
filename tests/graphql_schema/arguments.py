"""Arguments for any root field, made from the schema, so that a new field is tried unasked."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from graphql_schema.schema import make_schema

CORE: GraphQLSchema = make_schema()._schema
TYPE_OF_ID = {
    "productId": "Product",
    "productIds": "Product",
    "memberId": "Member",
    "fromMemberId": "Member",
    "toMemberId": "Member",
    "id": "CodeBatch",
    **dict.fromkeys(("batchId", "bottleBatchId", "boxBatchId"), "CodeBatch"),
    "placeId": "Place",
    "placeIds": "Place",
    "tillId": "Till",
    "clerkId": "Clerk",
    "templateId": "CouponTemplate",
    "couponTemplateId": "CouponTemplate",
    "couponId": "Coupon",
    "redemptionId": "Redemption",
    **dict.fromkeys(("intoMemberId", "addMemberIds", "removeMemberIds"), "Member"),
    "holdId": "Hold",
    "adjustmentId": "Adjustment",
    "transferId": "Entry",
    "purchaseId": "Purchase",
    "offerId": "MallOffer",
    "orderId": "OfferOrder",
    "lockedRewardId": "LockedReward",
    "scanId": "ScanEvent",
    "campaignId": "Campaign",
    "draftId": "CampaignDraft",
    "simulationId": "Simulation",
    "raffleId": "Raffle",
    "endpointId": "WebhookEndpoint",
    "deliveryId": "WebhookDelivery",
    "agreementId": "Agreement",
    "keyId": "PartnerKey",
    "issueListId": "IssueList",
    "statementId": "ClearingStatement",
    "clearingAdjustmentId": "ClearingAdjustment",
    "nettingRunId": "NettingRun",
    "actorId": "Clerk",
    "subjectId": "Place",
}
"""What an argument's global id is of."""

IdOf = Callable[[str], str]
Path = tuple[str | int, ...]

_BY_NAME: dict[str, Any] = {
    "role": "GUIDE",
    "endsAt": "2027-01-01T00:00:00+08:00",
    "closesAt": "2999-01-01T00:00:00+08:00",
    "threshold": 0,
    "pointsMultiplierPercent": 100,
    "phone": "13800138000",
    "storePhone": "13800138000",
    "clerkNumber": "7",
    "number": "7",
    "memberToken": "A" * 43,
    "tokens": ["A" * 43],
    "codes": ["A1"],
    "pin": "2468",
    "totp": "123456",
    "email": "nobody@example.com",
    "gtin": "4006381333931",
    "action": "follow",
    "condition": "member.isNew",
    "grace": "P1M",
    "currency": "CNY",
    "pictureUrl": "https://example.com/a.png",
    "partnerSlug": "ally",
}
_BY_PLACE: dict[str, Any] = {
    "OutcomeInput.asset": None,
    "OutcomeInput.amount": None,
    "OutcomeInput.lock": None,
    "OutcomeInput.steps": [],
    "LevelInput.growthThreshold": None,
    "DrawPrizeInput.code": "THANKS",
    "DrawPrizeInput.asset": None,
    "DrawPrizeInput.amount": None,
    "DrawEntryInput.prize": "THANKS",
    "DrawEntryInput.amountFrom": None,
    "DrawEntryInput.amountTo": None,
    "DrawStageInput.startsAt": None,
    "DrawInput.consolation": "THANKS",
    "DrawStageInput.budgets": [],
    "DrawStageInput.budgetCurve": None,
    "DrawInput.lock": None,
    "DraftFromTemplateInput.budgetFen": None,
    "SimulateCampaignInput.campaignId": None,
    "SimulateCampaignInput.past": None,
    "MadeUpInput.hours": None,
    "MadeUpInput.startsOn": None,
    "MadeUpInput.preScannedPpm": 0,
    "MadeUpInput.guides": 0,
    "MadeUpInput.amountFenTo": 9,
    "DrawGuaranteeInput.prize": "THANKS",
    "RecordPurchaseInput.externalRef": None,
    "PostedEventInput.externalRef": None,
    "PublishCampaignInput.eventType": None,
    "PublishCampaignInput.bonus": None,
    "PublishCampaignInput.regions": [],
    "PublishCampaignInput.budgets": [],
    "SaveCampaignDraftInput.eventType": None,
    "SaveCampaignDraftInput.bonus": None,
    "SaveCampaignDraftInput.regions": [],
    "SaveCampaignDraftInput.budgets": [],
    "RecordPurchaseInput.phone": None,
    **{
        f"{name}Input.{role}Phone": None
        for name in ("CreatePlace", "SetPlaceChannel")
        for role in ("dealer", "salesperson")
    },
    "PurchaseLineInput.sku": None,
    "ReturnPurchaseInput.purchaseRef": None,
    "ReturnPurchaseInput.lines": [],
    "OfferPriceInput.rankMin": 0,
    "OfferGivesInput.kind": "COUPON",
    "OfferGivesInput.asset": None,
    "OfferGivesInput.amount": None,
    "CreateCouponTemplateInput.kind": "PAY_N",
    "CreateCouponTemplateInput.amountOffFen": None,
    "CreateCouponTemplateInput.spendMinFen": 0,
    "CreateCouponTemplateInput.offerId": None,
    "CostShareInput.basisPoints": None,
}
"""Of an input that cannot have all of its fields: an outcome is a coupon, a coupon one for so much
money to pay."""
_SCALARS: dict[str, Any] = {
    "BigInt": 1,
    "AssetCode": "POINTS",
    "Int": 1,
    "Float": 1.5,
    "Boolean": False,
    "DateTime": "2026-11-09T00:00:00+08:00",
    "Date": "2026-11-09",
}


@dataclass(frozen=True)
class RootField:
    """One field of Query or Mutation."""

    operation: str
    name: str
    field: GraphQLField

    @property
    def document(self) -> str:
        """A document that takes all of its arguments as variables and asks for little."""
        variables = ", ".join(f"${name}: {a.type}" for name, a in self.field.args.items())
        arguments = ", ".join(f"{name}: ${name}" for name in self.field.args)
        head = f"({variables})" if variables else ""
        call = f"{self.name}({arguments})" if arguments else self.name
        return f"{self.operation} X{head} {{ {call} {{ __typename {self._little} }} }}"

    @property
    def _little(self) -> str:
        named = get_named_type(self.field.type)
        if isinstance(named, GraphQLUnionType):
            return "... on Refused { code message details }"
        if named.name.endswith("Connection"):
            return "nodes { __typename }"
        return ""

    def variables(
        self, id_of: IdOf, *, whole: bool = False, known: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Values that pass validation; ``whole`` fills in the optional ones too. ``known`` are
        better ones than those made up, by the argument's name."""
        making = _Making(id_of, whole, _BY_NAME | dict(known or {}))
        return {
            name: making.value(name, argument.type)
            for name, argument in self.field.args.items()
            if whole or is_non_null_type(argument.type)
        }


def root_fields() -> list[RootField]:
    """All of them, in the order of the schema."""
    found = []
    for operation, root in (("query", CORE.query_type), ("mutation", CORE.mutation_type)):
        assert isinstance(root, GraphQLObjectType)
        found += [RootField(operation, name, field) for name, field in root.fields.items()]
    return found


@dataclass(frozen=True)
class _Making:
    """How values are made up."""

    id_of: IdOf
    whole: bool
    known: Mapping[str, Any]

    def value(self, name: str, kind: GraphQLInputType, place: str = "") -> Any:
        if place in _BY_PLACE:
            return _BY_PLACE[place]
        if name in self.known:
            return self.known[name]
        inner = kind.of_type if is_non_null_type(kind) else kind
        if is_list_type(inner):
            return [self.value(name, inner.of_type)]
        if isinstance(inner, GraphQLInputObjectType):
            return {
                part: self.value(part, field.type, f"{inner.name}.{part}")
                for part, field in inner.fields.items()
                if self.whole or is_non_null_type(field.type)
            }
        if isinstance(inner, GraphQLEnumType):
            return next(iter(inner.values))
        scalar = get_named_type(inner).name
        if scalar == "ID":
            return str(uuid4()) if name == "idempotencyKey" else self.id_of(TYPE_OF_ID[name])
        if scalar == "String":
            return f"{name}-{uuid4().hex[:8]}"
        return _SCALARS[scalar]


def leaves(field: RootField) -> Iterator[tuple[Path, str]]:
    """The path of each scalar or enum among the arguments, and the name of its type."""
    for name, argument in field.field.args.items():
        yield from _leaves((name,), argument.type)


def _leaves(path: Path, kind: GraphQLInputType) -> Iterator[tuple[Path, str]]:
    inner = kind.of_type if is_non_null_type(kind) else kind
    if is_list_type(inner):
        yield from _leaves((*path, 0), inner.of_type)
    elif isinstance(inner, GraphQLInputObjectType):
        for name, field in inner.fields.items():
            yield from _leaves((*path, name), field.type)
    elif is_leaf_type(inner):
        yield path, get_named_type(inner).name


def with_value(variables: dict[str, Any], path: Sequence[str | int], value: Any) -> dict[str, Any]:
    """A copy of the variables with another value at a path."""
    changed = copy.deepcopy(variables)
    *way, last = path
    place: Any = changed
    for step in way:
        if isinstance(step, str) and place.get(step) is None:
            place[step] = {}  # left out, since it does not go with the rest
        if isinstance(step, int) and not place:
            place.append({})
        place = place[step]
    if place == []:
        place.append(None)
    place[last] = value
    return changed
