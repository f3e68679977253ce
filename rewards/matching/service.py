"""The verbs of matching: tokens made for a host's members, members found by tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from loyalty.clock import first_id_at
from loyalty.crypto import Keyring
from loyalty.db import Snapshot, Tx
from loyalty.errors import InvalidInput
from rewards.matching import queries
from rewards.matching.models import MatchPass
from rewards.matching.rules import TOKENS_MAX, is_token, token_of

LATE_SECONDS = 15
"""Who is enrolled by a transaction of up to so long is not missed by the tail."""
SWEEP = timedelta(hours=24)


async def find_members(
    snapshot: Snapshot, host_id: UUID, agreement_id: UUID, tokens: Sequence[str]
) -> dict[str, UUID]:
    """Active members of the host by their tokens under an agreement. A token that nobody has and
    one of a member that is frozen are alike: left out."""
    found = await queries.find_members(snapshot, host_id, agreement_id, tokens)
    return {token: member_id for token, member_id, status in found if status == "ACTIVE"}


async def match(
    snapshot: Snapshot, host_id: UUID, agreement_id: UUID, tokens: Sequence[str]
) -> list[bool]:
    """Which of up to TOKENS_MAX tokens are an active member's. Refuses InvalidInput."""
    if not 1 <= len(tokens) <= TOKENS_MAX:
        raise InvalidInput(field="tokens", problem=f"1 to {TOKENS_MAX}")
    for number, token in enumerate(tokens):
        if not is_token(token):
            raise InvalidInput(field=f"tokens[{number}]", problem="43 characters of base64url")
    found = await find_members(snapshot, host_id, agreement_id, tokens)
    return [token in found for token in tokens]


@dataclass(frozen=True)
class Matcher:
    """Makes the tokens of members, as periodic work: of who is new at once, of who has got another
    WeChat account since within a day. ``late_seconds``: so long new ones are looked at again."""

    keyring: Keyring
    late_seconds: float = LATE_SECONDS

    async def __call__(self, tx: Tx, limit: int) -> int:
        """Look at up to ``limit`` new identities for each agreement, else at as many of all for the
        one that was swept longest ago: ``limit`` where there may be more to do. Where there is not,
        forget as many tokens of agreements that have ended; how many."""
        is_more = False
        passes = await tx.fetch(queries.LIST_PASSES)
        for brand_id, agreement_id, tail_id, _, _ in passes:
            if tail_id is None:
                await tx.insert_if_absent(
                    MatchPass(
                        brand_id=brand_id,
                        agreement_id=agreement_id,
                        tail_id=queries.FIRST,
                        swept_at=tx.now,
                    )
                )
            is_more |= await self._follow(tx, (brand_id, agreement_id), limit)
        if is_more:
            return limit  # who is new comes first, in all agreements
        due = [
            (swept_at, brand_id, agreement_id)
            for brand_id, agreement_id, _, sweep_id, swept_at in passes
            if swept_at is not None and (sweep_id is not None or tx.now >= swept_at + SWEEP)
        ]
        if due:
            _, *key = min(due)
            await self._sweep(tx, (key[0], key[1]), limit)
            return limit
        return len(await tx.fetch(queries.FORGET_TOKENS, row_count_max=limit))

    async def _follow(self, tx: Tx, key: tuple[UUID, UUID], limit: int) -> bool:
        """Look at who is new for an agreement: whether there may be more."""
        row = await queries.lock_pass(tx, *key)
        seen, is_all = await self._make(tx, row, row.tail_id, limit)
        recent = first_id_at(tx.now - timedelta(seconds=self.late_seconds))
        tail_id = max(row.tail_id, min(seen, recent)) if is_all else seen
        if tail_id != row.tail_id:
            await queries.write_pass(tx, row, tail_id=tail_id)
        return not is_all

    async def _sweep(self, tx: Tx, key: tuple[UUID, UUID], limit: int) -> None:
        """Look at the next of all identities once more, for what came to them later."""
        row = await queries.lock_pass(tx, *key)
        sweep_id, is_swept = await self._make(tx, row, row.sweep_id or queries.FIRST, limit)
        if is_swept:
            await queries.write_pass(tx, row, sweep_id=None, swept_at=tx.now)
        else:
            await queries.write_pass(tx, row, sweep_id=sweep_id)

    async def _make(self, tx: Tx, row: MatchPass, after: UUID, limit: int) -> tuple[UUID, bool]:
        """Write what is not there of the next identities' tokens: the last one's id, and whether
        there were no more."""
        found = await queries.list_identities(tx, row.brand_id, after, limit)
        secret = self.keyring.match_secret(row.agreement_id)
        rows = set()
        for id, cipher, unionid in found:
            if cipher is not None:
                phone = self.keyring.decrypt_phone(row.brand_id, cipher)
                rows.add((row.brand_id, row.agreement_id, token_of(secret, "phone", phone), id))
            if unionid is not None:
                token = token_of(secret, "unionid", unionid)
                rows.add((row.brand_id, row.agreement_id, token, id))
        if rows:
            await tx.fetch(queries.INSERT_TOKENS, rows=sorted(rows))
        ids = {id for id, _, _ in found}
        return (max(ids) if ids else after), len(ids) < limit
