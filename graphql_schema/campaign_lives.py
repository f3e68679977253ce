"""Campaigns paused, resumed and ended, by operators."""

from typing import Annotated, Any

import strawberry

from graphql_schema.campaigns import Campaign, CampaignView, get_view
from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.enums import CampaignStatus
from graphql_schema.nodes import local_id
from graphql_schema.permissions import HasGrant
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, Grant
from loyalty.db import Tx
from rewards.campaigns import lives


@strawberry.input
class MoveCampaignInput:
    idempotency_key: strawberry.ID
    campaign_id: strawberry.ID
    reason: str


@strawberry.input
class PauseCampaignInput(MoveCampaignInput):
    pass


@strawberry.input
class ResumeCampaignInput(MoveCampaignInput):
    pass


@strawberry.input
class EndCampaignInput(MoveCampaignInput):
    pass


@strawberry.type
class PauseCampaignReceipt:
    replayed: bool
    campaign: CampaignView = strawberry.field(graphql_type=Campaign)


@strawberry.type
class ResumeCampaignReceipt:
    replayed: bool
    campaign: CampaignView = strawberry.field(graphql_type=Campaign)


@strawberry.type
class EndCampaignReceipt:
    replayed: bool
    campaign: CampaignView = strawberry.field(graphql_type=Campaign)


PauseCampaignResult = Annotated[
    PauseCampaignReceipt | Refused, strawberry.union("PauseCampaignResult")
]
ResumeCampaignResult = Annotated[
    ResumeCampaignReceipt | Refused, strawberry.union("ResumeCampaignResult")
]
EndCampaignResult = Annotated[EndCampaignReceipt | Refused, strawberry.union("EndCampaignResult")]


async def _moved(
    context: Context, operation: str, input: MoveCampaignInput, wanted: CampaignStatus
) -> tuple[CampaignView, bool]:
    campaign_id = local_id("Campaign", input.campaign_id)

    async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        await lives.move_campaign(tx, actor, campaign_id, wanted, input.reason)
        return {"id": campaign_id.hex}

    reply, replayed = await effect_once(context, operation, input, verb)
    return await get_view(context, reply), replayed


@strawberry.type
class CampaignLifeMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def pause_campaign(self, info: Info, input: PauseCampaignInput) -> PauseCampaignResult:
        """Let a campaign pay nothing for now. What it has promised is kept."""
        view, replayed = await _moved(info.context, "pauseCampaign", input, CampaignStatus.PAUSED)
        return PauseCampaignReceipt(replayed=replayed, campaign=view)

    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def resume_campaign(self, info: Info, input: ResumeCampaignInput) -> ResumeCampaignResult:
        """Let a paused campaign pay again."""
        view, replayed = await _moved(info.context, "resumeCampaign", input, CampaignStatus.RUNNING)
        return ResumeCampaignReceipt(replayed=replayed, campaign=view)

    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def end_campaign(self, info: Info, input: EndCampaignInput) -> EndCampaignResult:
        """End a campaign for good. What it has promised is kept; its code stays taken."""
        view, replayed = await _moved(info.context, "endCampaign", input, CampaignStatus.ENDED)
        return EndCampaignReceipt(replayed=replayed, campaign=view)
