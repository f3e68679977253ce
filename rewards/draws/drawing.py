"""Pure: who draws when a campaign has paid an event, and the seeds and counters that this needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loyalty.actor import MemberRole
from loyalty.ledger.rules import Cause
from rewards.campaigns.rules import LiveCampaign
from rewards.conditions.facts import Facts
from rewards.draws.folding import Drawing, DrawState, Holds, draw_prize
from rewards.draws.rules import claim_of_event
from rewards.grants.rules import GrantWorld, MemberState


@dataclass(frozen=True, slots=True)
class Turn:
    """One paid event: whose it is, who is paid beside, and what its bonuses may ask."""

    cause: Cause
    member: MemberState
    beside: Sequence[MemberState]
    facts: Callable[[], Facts]
    holds: Holds
    nonce: str | None = None


def claim_by_cause(cause: Cause) -> Callable[[str], str]:
    """What a purchase or another event claims, by role."""
    return lambda role: claim_of_event(cause.kind, cause.id, role)


def draw_all(
    world: GrantWorld, campaign: LiveCampaign, turn: Turn, claim: Callable[[str], str]
) -> list[DrawState]:
    """Draw for each of those whom the event pays and who draws, its own member first; to be called
    when their rewards are given and before the event is counted. The nonce is the member's own, and
    so are the facts: who draws beside has neither."""
    if campaign.draw is None:
        return []
    drawn = []
    for member in (turn.member, *turn.beside):
        if not campaign.draws(MemberRole(member.role)):
            continue
        is_own = member is turn.member
        drawing = Drawing(
            world.new_id(),
            member,
            claim(member.role),
            turn.nonce if is_own else None,
            turn.cause,
            turn.facts if is_own else None,
            turn.holds,
        )
        drawn.append(draw_prize(world, campaign, drawing))
    return drawn
