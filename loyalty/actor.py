"""Who calls, for which brand, with which grants."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    MEMBER = "MEMBER"
    OPERATOR = "OPERATOR"
    CLERK = "CLERK"
    PARTNER = "PARTNER"
    SYSTEM = "SYSTEM"


class MemberRole(StrEnum):
    """The five roles a person may hold in a brand (3+2+N 账号体系)."""

    CONSUMER = "CONSUMER"
    GUIDE = "GUIDE"
    STORE = "STORE"
    DEALER = "DEALER"
    SALESPERSON = "SALESPERSON"


class OperatorRole(StrEnum):
    VIEWER = "VIEWER"
    MARKETER = "MARKETER"
    FINANCE = "FINANCE"
    ADMIN = "ADMIN"


class Scope(StrEnum):
    """What a partner's key may do."""

    ISSUE_COUPONS = "coupons:issue"
    READ_COUPONS = "coupons:read"
    REDEEM_COUPONS = "coupons:redeem"
    MATCH_MEMBERS = "members:match"
    READ_STATEMENTS = "statements:read"


class Grant(StrEnum):
    """What an operator may do. The table below is the permission table of operators."""

    READ = "read"
    CAMPAIGNS = "campaigns"
    CODES = "codes"
    MEMBERS = "members"
    LEDGER = "ledger"
    COUPONS = "coupons"
    PLACES = "places"
    PURCHASES = "purchases"
    WEBHOOKS = "webhooks"
    ALLIANCE = "alliance"
    CLEARING = "clearing"
    PARTNER_KEYS = "partner keys"
    AUDIT = "audit"


GRANTS_BY_ROLE: dict[OperatorRole, frozenset[Grant]] = {
    OperatorRole.VIEWER: frozenset({Grant.READ}),
    OperatorRole.MARKETER: frozenset(
        {
            *(Grant.READ, Grant.CAMPAIGNS, Grant.CODES),
            *(Grant.MEMBERS, Grant.COUPONS, Grant.PLACES, Grant.ALLIANCE),
        }
    ),
    OperatorRole.FINANCE: frozenset({Grant.READ, Grant.LEDGER, Grant.PURCHASES, Grant.CLEARING}),
    OperatorRole.ADMIN: frozenset(Grant),
}

SYSTEM_ID = UUID(int=0)
CLERK_ROLE = "CLERK"
PARTNER_ROLE = "PARTNER"


@dataclass(frozen=True, slots=True)
class Actor:
    """One caller. ``id`` is a member's identity, the operator, the clerk, or the key that a
    partner's system calls with; ``role`` the role acted in. A clerk acts at one till of one place;
    a key acts for its own brand, within its scopes, and may report what ``clerk_id`` does at a
    till of its brand's own."""

    kind: ActorKind
    brand_id: UUID
    id: UUID
    role: str
    grants: frozenset[Grant] = field(default_factory=frozenset)
    place_id: UUID | None = None
    till_id: UUID | None = None
    scopes: frozenset[Scope] = field(default_factory=frozenset)
    clerk_id: UUID | None = None


def system_actor(brand_id: UUID) -> Actor:
    """The command line on the host: may do everything, and everything it does is audited."""
    return Actor(ActorKind.SYSTEM, brand_id, SYSTEM_ID, "SYSTEM", frozenset(Grant))
