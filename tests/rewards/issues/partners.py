"""A host with members whom a partner knows by tokens."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from loyalty.actor import Actor, ActorKind, MemberRole
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import Refusal
from loyalty.ids import new_id
from loyalty.ledger.audit import audit
from loyalty.members.models import Member
from loyalty.members.service import enrol, find_or_create_identity_by_phone
from rewards.alliances.models import AgreementVersion
from rewards.clearing import queries as clearing
from rewards.coupons.models import Coupon
from rewards.coupons.queries import get_coupon
from rewards.issues.models import PartnerIssue
from rewards.issues.queries import list_issues
from rewards.issues.service import Wanted, issue_coupons
from rewards.matching.rules import token_of
from rewards.matching.service import Matcher
from tests.rewards.alliances.agreed import Pair, agree, make_pair
from tests.rewards.redemptions.shops import add_coupon

PHONES = tuple(f"+861390000{number:04}" for number in range(10))


@dataclass
class Issuers:
    """A pair, the agreement that is in force between the two, and the host's members."""

    db: Database
    keyring: Keyring
    pair: Pair
    version: AgreementVersion
    members: list[Member] = field(default_factory=list)

    @property
    def agreement_id(self) -> UUID:
        return self.version.agreement_id

    def token(self, number: int) -> str:
        """Of the member of that number."""
        secret = self.keyring.match_secret(self.agreement_id)
        return token_of(secret, "phone", PHONES[number])

    async def enrol(self, number: int) -> Member:
        async def verb(tx: Tx) -> Member:
            host = self.pair.host.id
            identity = await find_or_create_identity_by_phone(
                tx, self.keyring, host, PHONES[number]
            )
            role = MemberRole.CONSUMER.value
            return await enrol(tx, Actor(ActorKind.MEMBER, host, identity.id, role))

        return await self.db.in_transaction(verb)

    async def match(self) -> None:
        """As the worker does."""
        while await self.db.in_transaction(Matcher(self.keyring), 100):
            pass

    async def issue(self, *numbers: int) -> list[str]:
        """What became of a coupon for each of some members: ``ISSUED``, or the refusal's code."""
        wanted = [Wanted(self.token(number), f"order {number}") for number in numbers]
        found = await self.try_to_issue(wanted)
        return [each.code if isinstance(each, Refusal) else "ISSUED" for each in found]

    async def try_to_issue(self, wanted: list[Wanted]) -> list[PartnerIssue | Refusal]:
        return await self.db.in_transaction(
            issue_coupons, self.pair.partners, self.agreement_id, self.pair.template.id, wanted
        )

    async def coupons(self) -> list[Coupon]:
        """The host's, in the order in which they were issued."""
        async with self.db.snapshot() as snapshot:
            return [
                await get_coupon(snapshot, self.pair.host.id, issue.coupon_id)
                for issue in await self.issues()
            ]

    async def issues(self) -> list[PartnerIssue]:
        async with self.db.snapshot() as snapshot:
            rows = await list_issues(snapshot, self.pair.partner.id, before=None, limit=1_000)
        return rows[::-1]

    async def funds(self) -> tuple[int, int]:
        """What the partner owes the host, and has reserved."""
        async with self.db.snapshot() as snapshot:
            position = await clearing.find_position(
                snapshot, self.pair.partner.id, self.pair.host.id
            )
        assert position is not None
        return position.owed_fen, position.reserved_fen

    async def broken(self) -> dict[str, Any]:
        checks = [check for check in await audit(self.db) if check.broken]
        return {check.name: check.examples for check in checks}


async def make_issuers(db: Database, keyring: Keyring, members: int = 4, **line: Any) -> Issuers:
    """So many members of the host, with tokens; the line's fields as given."""
    pair = await db.in_transaction(make_pair, f"host-{new_id().hex}", f"partner-{new_id().hex}")
    version = await db.in_transaction(agree, pair, pair.draft(**line))
    issuers = Issuers(db, keyring, pair, version)
    for number in range(members):
        issuers.members.append(await issuers.enrol(number))
    await issuers.match()
    return issuers


async def add_issued(tx: Tx, /, pair: Pair, version: AgreementVersion, **fields: Any) -> Coupon:
    """A coupon of a partner's with its issue, as rows: of nobody, nothing reserved."""
    issue = PartnerIssue(
        brand_id=pair.partner.id,
        host_id=pair.host.id,
        agreement_id=version.agreement_id,
        version_id=version.id,
        template_id=pair.template.id,
        coupon_id=UUID(int=0),
        fee_fen=0,
        reserved_fen=fields.pop("reserved_fen", 0),
        issued_at=tx.now,
    )
    coupon = await add_coupon(tx, pair.template, cause_kind="PARTNER", cause_id=issue.id, **fields)
    issue.coupon_id = coupon.id
    await tx.add(issue)
    return coupon
