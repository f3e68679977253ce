"""The verbs of members: being known, enrolling, inviting, being admitted, being frozen."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from loyalty import audit_log, outbox
from loyalty.actor import Actor, ActorKind, MemberRole
from loyalty.crypto import Keyring, mask_phone
from loyalty.db import RetryTransaction, Snapshot, Tx
from loyalty.errors import (
    AlreadyInvited,
    BirthdaySet,
    InvalidInput,
    MemberClosed,
    MemberFrozen,
    NotFound,
    NotOnRoster,
)
from loyalty.ids import new_id
from loyalty.members import queries
from loyalty.members.models import Identity, Invitation, Member, RosterEntry
from loyalty.members.queries import (
    find_member,
    find_roster_entry,
    get_identity,
    get_member,
    list_identities_by_ids,
    list_members,
    list_members_by_ids,
    lock_members,
)
from loyalty.members.rules import (
    EXTERNAL_REF_LENGTH_MAX,
    INVITING_ROLES,
    NAME_LENGTH_MAX,
    ROSTER_ENTRIES_MAX,
    check_active,
    check_birthday,
    inheritance,
    needs_roster,
    normalise_phone,
)
from loyalty.text import checked_text

ENROLLED_TOPIC = "member.enrolled"
ACTIVE = "ACTIVE"
FROZEN = "FROZEN"

# Other nouns may call this service and never the queries: the last eight are the reads they need.
__all__ = [
    "ENROLLED_TOPIC",
    "RosterImport",
    "aliases_of",
    "begin_merge",
    "close_member",
    "create_wechat_identity",
    "enrol",
    "find_or_create_identity_by_external_ref",
    "find_or_create_identity_by_phone",
    "follow_merges",
    "freeze_member",
    "import_roster",
    "invite_member",
    "masked_phone",
    "change_birthday",
    "require_active_member",
    "require_unmerged",
    "set_birthday",
    "unfreeze_member",
    "find_member",
    "find_roster_entry",
    "get_identity",
    "get_member",
    "list_identities_by_ids",
    "list_members",
    "list_members_by_ids",
    "lock_members",
]


@dataclass(frozen=True, slots=True)
class RosterImport:
    """What became of a list: entries new, entries known, and (index, reason) of the others."""

    added: int
    unchanged: int
    rejected: list[tuple[int, str]] = field(default_factory=list)


def masked_phone(keyring: Keyring, identity: Identity) -> str | None:
    """``+86138****5678``; None for an identity known by an outside reference alone."""
    if identity.phone_cipher is None:
        return None
    return mask_phone(keyring.decrypt_phone(identity.brand_id, identity.phone_cipher))


async def require_active_member(snapshot: Snapshot, brand_id: UUID, member_id: UUID) -> Member:
    """The brand's member, if value may come to it and go from it. Refuses NotFound (member),
    MemberFrozen and MemberClosed."""
    rows = await list_members_by_ids(snapshot, brand_id, [member_id])
    return check_active(rows[0] if rows else None)


def masked_cipher(keyring: Keyring, brand_id: UUID, invitation: Invitation) -> str:
    """The phone of an invitation, masked."""
    return mask_phone(keyring.decrypt_phone(brand_id, invitation.phone_cipher))


async def find_or_create_identity_by_phone(
    tx: Tx, keyring: Keyring, brand_id: UUID, phone: str
) -> Identity:
    """The one identity of a phone, written in any form; InvalidInput when it is no phone."""
    number = normalise_phone(phone)
    phone_hash = keyring.lookup_hash(brand_id, "phone", number)
    found = await queries.find_identity_by_phone_hash(tx, brand_id, phone_hash)
    if found is not None:
        return found
    identity = Identity(
        brand_id=brand_id,
        phone_hash=phone_hash,
        phone_cipher=keyring.encrypt_phone(brand_id, number),
        created_at=tx.now,
    )
    if await tx.insert_if_absent(identity):
        return identity
    found = await queries.find_identity_by_phone_hash(tx, brand_id, phone_hash)
    if found is None:
        raise RetryTransaction
    return found


async def find_or_create_identity_by_external_ref(
    tx: Tx, brand_id: UUID, external_ref: str
) -> Identity:
    """The one identity of an import's own reference (1 to 128 characters)."""
    external_ref = checked_text(external_ref, "memberRef", length_max=EXTERNAL_REF_LENGTH_MAX)
    found = await queries.find_identity_by_external_ref(tx, brand_id, external_ref)
    if found is not None:
        return found
    identity = Identity(brand_id=brand_id, external_ref=external_ref, created_at=tx.now)
    if await tx.insert_if_absent(identity):
        return identity
    found = await queries.find_identity_by_external_ref(tx, brand_id, external_ref)
    if found is None:
        raise RetryTransaction
    return found


async def create_wechat_identity(tx: Tx, brand_id: UUID) -> Identity:
    """A new identity, known by the WeChat accounts that access keeps of it."""
    identity = Identity(brand_id=brand_id, wechat=True, created_at=tx.now)
    await tx.add(identity)
    return identity


async def enrol(tx: Tx, actor: Actor) -> Member:
    """The member of the actor's identity and role, made now if this is its first act.

    NotOnRoster when the role has a roster (名册) and the phone is not on it, also for those who
    enrolled before; MemberFrozen when the account is frozen; NotFound when the token's identity
    is not there.
    """
    role = _acting_role(actor)
    identity = await queries.find_identity(tx, actor.brand_id, actor.id)
    if identity is None:
        raise NotFound(noun="member")
    entry = await _roster_entry(tx, identity, role)
    member = await queries.find_member(tx, actor.brand_id, identity.id, role.value)
    if member is None:
        member = await _enrol_new(tx, identity, role, entry.name if entry else None)
    if member.status == FROZEN:
        raise MemberFrozen()
    return member


def _acting_role(actor: Actor) -> MemberRole:
    if actor.kind is not ActorKind.MEMBER:
        raise NotFound(noun="member")
    return MemberRole(actor.role)


async def _roster_entry(tx: Tx, identity: Identity, role: MemberRole) -> RosterEntry | None:
    if not needs_roster(role):
        return None
    if identity.phone_hash is not None:
        entry = await queries.find_roster_entry(
            tx, identity.brand_id, role.value, identity.phone_hash
        )
        if entry is not None:
            return entry
    raise NotOnRoster(role=role.value)


async def _enrol_new(tx: Tx, identity: Identity, role: MemberRole, name: str | None) -> Member:
    invitation = None
    if role is MemberRole.CONSUMER and identity.phone_hash is not None:
        invitation = await queries.find_open_invitation(tx, identity.brand_id, identity.phone_hash)
    member = Member(
        brand_id=identity.brand_id,
        identity_id=identity.id,
        role=role.value,
        status=ACTIVE,
        display_name=name,
        invited_by_id=invitation.inviter_id if invitation else None,
        enrolled_at=tx.now,
    )
    if not await tx.insert_if_absent(member):
        found = await queries.find_member(tx, identity.brand_id, identity.id, role.value)
        if found is None:
            raise RetryTransaction
        return found
    if invitation is not None:
        await _accept(tx, invitation, member)
    event = outbox.Fact(
        brand_id=member.brand_id,
        topic=ENROLLED_TOPIC,
        subject_id=member.id,
        payload={"role": role.value},
        created_at=tx.now,
    )
    await outbox.emit(tx, [event])
    return member


async def _accept(tx: Tx, invitation: Invitation, member: Member) -> None:
    if not await queries.accept_invitation(tx, invitation, member):
        raise RetryTransaction


async def invite_member(tx: Tx, actor: Actor, keyring: Keyring, phone: str) -> Invitation:
    """Invite a phone in the actor's name: it is attributed when that phone enrols (谁带来谁).

    AlreadyInvited for a phone that has an invitation and for one that is a consumer already, in
    the same words, so that nobody can ask who is a member.
    """
    role = _acting_role(actor)
    if role not in INVITING_ROLES:
        raise InvalidInput(field="role", problem=f"{role.value} cannot invite")
    number = normalise_phone(phone)
    inviter = await enrol(tx, actor)
    phone_hash = keyring.lookup_hash(actor.brand_id, "phone", number)
    identity = await queries.find_identity_by_phone_hash(tx, actor.brand_id, phone_hash)
    if identity is not None:
        if identity.id == actor.id:
            raise InvalidInput(field="phone", problem="this is your own")
        consumer = await queries.find_member(
            tx, actor.brand_id, identity.id, MemberRole.CONSUMER.value
        )
        if consumer is not None:
            raise AlreadyInvited()
    await require_unmerged(tx, [(inviter.brand_id, inviter.id)])
    invitation = Invitation(
        brand_id=actor.brand_id,
        inviter_id=inviter.id,
        phone_hash=phone_hash,
        phone_cipher=keyring.encrypt_phone(actor.brand_id, number),
        created_at=tx.now,
    )
    if not await tx.insert_if_absent(invitation):
        raise AlreadyInvited()
    return invitation


async def import_roster(
    tx: Tx, actor: Actor, keyring: Keyring, role: str, entries: Sequence[tuple[str, str]]
) -> RosterImport:
    """Admit up to 1,000 (phone, name) to a channel role; a bad one is rejected, the rest go on."""
    if role not in MemberRole.__members__ or not needs_roster(MemberRole(role)):
        raise InvalidInput(field="role", problem="GUIDE, STORE, DEALER or SALESPERSON")
    if not 1 <= len(entries) <= ROSTER_ENTRIES_MAX:
        raise InvalidInput(field="entries", problem=f"1 to {ROSTER_ENTRIES_MAX}")
    admitted: dict[str, tuple[str, str]] = {}
    rejected: list[tuple[int, str]] = []
    for index, (phone, written_name) in enumerate(entries):
        try:
            number = normalise_phone(phone)
            name = checked_text(written_name, "name", length_max=NAME_LENGTH_MAX)
        except InvalidInput as refusal:
            rejected.append((index, refusal.message("en")))
            continue
        phone_hash = keyring.lookup_hash(actor.brand_id, "phone", number)
        if phone_hash in admitted:
            rejected.append((index, "phone: more than once in this list."))
            continue
        admitted[phone_hash] = (keyring.encrypt_phone(actor.brand_id, number), name)
    # Sorted, so that two imports of one list wait for each other rather than lock crosswise.
    rows = [
        (actor.brand_id, new_id(), role, phone_hash, cipher, name, tx.now)
        for phone_hash, (cipher, name) in sorted(admitted.items())
    ]
    added = len(await tx.fetch(queries.ADMIT, entries=rows)) if rows else 0
    await audit_log.record(
        tx, actor, "roster.import", actor.brand_id, role=role, added=added, rejected=len(rejected)
    )
    return RosterImport(added, len(rows) - added, rejected)


async def freeze_member(tx: Tx, actor: Actor, member_id: UUID, reason: str) -> Member:
    """Stop a member from acting (冻结); its balances stay."""
    return await _set_status(tx, actor, member_id, FROZEN, reason)


async def unfreeze_member(tx: Tx, actor: Actor, member_id: UUID, reason: str) -> Member:
    """Let a frozen member act again (解冻)."""
    return await _set_status(tx, actor, member_id, ACTIVE, reason)


async def _set_status(tx: Tx, actor: Actor, member_id: UUID, status: str, reason: str) -> Member:
    reason = checked_text(reason, "reason", length_max=500)
    changed = await queries.set_status(tx, actor.brand_id, member_id, status)
    member = await queries.get_member(tx, actor.brand_id, member_id)
    if member.merged_into_id is not None:
        raise MemberClosed()
    if changed:
        action = "member.freeze" if status == FROZEN else "member.unfreeze"
        await audit_log.record(tx, actor, action, member_id, reason)
    return member


async def set_birthday(tx: Tx, actor: Actor, month: int, day: int) -> str:
    """A member tells its birthday, once: ``MM-DD``. Refuses BirthdaySet, InvalidInput and what
    ``enrol`` refuses."""
    birthday = check_birthday(month, day)
    member = await enrol(tx, actor)
    if not await queries.set_birthday(tx, actor.brand_id, member.id, birthday, only_first=True):
        raise BirthdaySet()
    return birthday


async def change_birthday(
    tx: Tx, actor: Actor, member_id: UUID, month: int, day: int, reason: str
) -> str:
    """An operator sets a member's birthday: ``MM-DD``. Refuses NotFound (member), InvalidInput."""
    reason = checked_text(reason, "reason", length_max=500)
    birthday = check_birthday(month, day)
    if not await queries.set_birthday(tx, actor.brand_id, member_id, birthday, only_first=False):
        raise NotFound(noun="member")
    await audit_log.record(tx, actor, "member.birthday", member_id, reason)
    return birthday


# --- two members become one --------------------------------------------------------------------


async def follow_merges(
    snapshot: Snapshot, brand_id: UUID, member_ids: Collection[UUID]
) -> dict[UUID, UUID]:
    """Who members are by now: themselves, or those into whom they were merged."""
    merged = await queries.list_merged_into(snapshot, brand_id, member_ids)
    return {id: id for id in member_ids} | dict(merged)


async def aliases_of(
    snapshot: Snapshot, brand_id: UUID, member_ids: Collection[UUID]
) -> dict[UUID, list[UUID]]:
    """Everybody that members are: themselves, and who was merged into them."""
    found: dict[UUID, list[UUID]] = {id: [id] for id in member_ids}
    keys = [(brand_id, id) for id in sorted(found)]
    for into_id, id in await snapshot.fetch(queries.FIND_MERGED_FROM, into_ids=keys):
        found[into_id].append(id)
    return found


async def require_unmerged(tx: Tx, members: Collection[tuple[UUID, UUID]]) -> None:
    """Keep (brand_id, member_id) pairs from being merged into others until the transaction ends:
    for those that have no account to be locked by. Refuses MemberClosed."""
    if members and await queries.keep_members(tx, members):
        raise MemberClosed()


async def begin_merge(tx: Tx, brand_id: UUID, from_id: UUID, into_id: UUID) -> None:
    """Wait until no other merge of the brand goes on, and no enrolment by an invitation of the
    first: who enrols has its invitation before it waits for anybody's accounts. Refuses NotFound.
    """
    # One at a time: so none makes a chain of another, nor two persons of one.
    await tx.take_turns(f"merges of {brand_id.hex}")
    for member_id in (from_id, into_id):
        await queries.get_member(tx, brand_id, member_id)
    await queries.hand_over_invitations(tx, brand_id, from_id, into_id)


async def close_member(tx: Tx, source: Member, target: Member) -> None:
    """Let one member take another's place: signing in and scanning as the closed one acts as the
    other, whom it has invited the other has, and what was known of it alone (who brought it, its
    name and birthday) is the other's. Their identities are one person from now on.

    Both are of one brand and role and active, and their rows are locked; after ``begin_merge``.
    """
    await queries.mark_merged(tx, source, target)
    await queries.hand_over_invitations(tx, source.brand_id, source.id, target.id)
    await queries.hand_over_invited(tx, source.brand_id, source.id, target.id)
    if inherited := inheritance(source, target):
        await queries.describe_anew(tx, target, **inherited)
    await queries.join_persons(
        tx,
        await queries.get_identity(tx, source.brand_id, source.identity_id),
        await queries.get_identity(tx, target.brand_id, target.identity_id),
    )
