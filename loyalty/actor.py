"""Who calls, for which brand, with which grants."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class ActorKind(StrEnum):
    MEMBER = "MEMBER"
    OPERATOR = "OPERATOR"
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


class Grant(StrEnum):
    """What an operator may do. The table below is the permission table of operators."""

    READ = "read"
    CAMPAIGNS = "campaigns"
    CODES = "codes"
    MEMBERS = "members"
    LEDGER = "ledger"


GRANTS_BY_ROLE: dict[OperatorRole, frozenset[Grant]] = {
    OperatorRole.VIEWER: frozenset({Grant.READ}),
    OperatorRole.MARKETER: frozenset({Grant.READ, Grant.CAMPAIGNS, Grant.CODES, Grant.MEMBERS}),
    OperatorRole.FINANCE: frozenset({Grant.READ, Grant.LEDGER}),
    OperatorRole.ADMIN: frozenset(Grant),
}

SYSTEM_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Actor:
    """One caller. ``id`` is a member's identity, or the operator; ``role`` the role acted in."""

    kind: ActorKind
    brand_id: UUID
    id: UUID
    role: str
    grants: frozenset[Grant] = field(default_factory=frozenset)


def system_actor(brand_id: UUID) -> Actor:
    """The command line on the host: may do everything, and everything it does is audited."""
    return Actor(ActorKind.SYSTEM, brand_id, SYSTEM_ID, "SYSTEM", frozenset(Grant))
