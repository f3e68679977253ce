"""Members: known once, enrolled by their first act, brought by somebody, admitted by a roster."""

import asyncio
import subprocess
import sys

import pytest
from sqlmodel import SQLModel, func, select

from loyalty.actor import Actor, ActorKind, system_actor
from loyalty.audit_log import AuditLogEntry
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import (
    AlreadyInvited,
    InvalidInput,
    MemberFrozen,
    NotFound,
    NotOnRoster,
)
from loyalty.ids import new_id
from loyalty.members import queries
from loyalty.members import service as members
from loyalty.members.models import Identity, Invitation, Member, RosterEntry
from loyalty.outbox import OutboxEvent

PHONE = "+8613800138000"
OTHER_PHONE = "+8613800138001"


class People:
    """Acts of the people of one brand."""

    def __init__(self, db: Database, keyring: Keyring, brand: Brand) -> None:
        self.db = db
        self.keyring = keyring
        self.brand_id = brand.id
        self.operator = system_actor(brand.id)

    async def identity(self, phone: str = PHONE) -> Identity:
        return await self.db.in_transaction(
            members.find_or_create_identity_by_phone, self.keyring, self.brand_id, phone
        )

    async def actor(self, phone: str = PHONE, role: str = "CONSUMER") -> Actor:
        identity = await self.identity(phone)
        return Actor(ActorKind.MEMBER, self.brand_id, identity.id, role)

    async def admit(self, role: str, *entries: tuple[str, str]) -> members.RosterImport:
        return await self.db.in_transaction(
            members.import_roster, self.operator, self.keyring, role, entries
        )

    async def enrol(self, actor: Actor) -> Member:
        return await self.db.in_transaction(members.enrol, actor)

    async def invite(self, actor: Actor, phone: str) -> Invitation:
        return await self.db.in_transaction(members.invite_member, actor, self.keyring, phone)

    async def count(self, table: type[SQLModel]) -> int:
        async with self.db.snapshot() as snapshot:
            return (await snapshot.session.exec(select(func.count()).select_from(table))).one()


@pytest.fixture
def people(db: Database, keyring: Keyring, brand: Brand) -> People:
    return People(db, keyring, brand)


# --- identities --------------------------------------------------------------------------------


async def test_a_phone_in_any_spelling_is_one_identity(people: People) -> None:
    first = await people.identity("138 0013 8000")
    again = await people.identity("+86-138-0013-8000")
    assert first.id == again.id
    assert members.masked_phone(people.keyring, again) == "+86138****8000"


async def test_many_at_once_make_one_identity(people: People) -> None:
    found = await asyncio.gather(*(people.identity() for _ in range(50)))
    assert len({identity.id for identity in found}) == 1
    assert await people.count(Identity) == 1


async def test_a_phone_is_kept_only_encrypted(people: People) -> None:
    identity = await people.identity()
    kept = repr(identity)
    assert "13800138000" not in kept
    assert identity.phone_cipher is not None
    assert people.keyring.decrypt_phone(people.brand_id, identity.phone_cipher) == PHONE


async def test_an_outside_reference_is_one_identity_however_parallel(people: People) -> None:
    found = await asyncio.gather(
        *(
            people.db.in_transaction(
                members.find_or_create_identity_by_external_ref, people.brand_id, "00004"
            )
            for _ in range(20)
        )
    )
    assert len({identity.id for identity in found}) == 1
    assert members.masked_phone(people.keyring, found[0]) is None


@pytest.mark.parametrize("ref", ["", "x" * 129, "a\x00b", "\ud800"])
async def test_a_reference_that_cannot_be_kept_is_refused(people: People, ref: str) -> None:
    with pytest.raises(InvalidInput):
        await people.db.in_transaction(
            members.find_or_create_identity_by_external_ref, people.brand_id, ref
        )


# --- enrolling ---------------------------------------------------------------------------------


async def test_the_first_act_enrols_and_tells_of_it_once(people: People) -> None:
    actor = await people.actor()
    made = await people.enrol(actor)
    again = await people.enrol(actor)
    assert made.id == again.id
    async with people.db.snapshot() as snapshot:
        event = (await snapshot.session.exec(select(OutboxEvent))).one()
    assert (event.topic, event.subject_id, event.payload) == (
        "member.enrolled",
        made.id,
        {"role": "CONSUMER"},
    )


async def test_many_at_once_enrol_one_member(people: People) -> None:
    actor = await people.actor()
    enrolled = await asyncio.gather(*(people.enrol(actor) for _ in range(50)))
    assert len({member.id for member in enrolled}) == 1
    assert await people.count(OutboxEvent) == 1


@pytest.mark.parametrize("role", ["GUIDE", "STORE", "DEALER", "SALESPERSON"])
async def test_a_channel_role_needs_its_roster(people: People, role: str) -> None:
    actor = await people.actor(role=role)
    with pytest.raises(NotOnRoster) as refused:
        await people.enrol(actor)
    assert refused.value.details == {"role": role}
    await people.admit(role, (PHONE, "王芳"))
    member = await people.enrol(actor)
    assert (member.role, member.display_name) == (role, "王芳")


async def test_the_roster_of_one_role_does_not_admit_to_another(people: People) -> None:
    await people.admit("GUIDE", (PHONE, "王芳"))
    with pytest.raises(NotOnRoster):
        await people.enrol(await people.actor(role="STORE"))


async def test_who_has_no_phone_is_on_no_roster(people: People) -> None:
    identity = await people.db.in_transaction(
        members.find_or_create_identity_by_external_ref, people.brand_id, "00004"
    )
    with pytest.raises(NotOnRoster):
        await people.enrol(Actor(ActorKind.MEMBER, people.brand_id, identity.id, "GUIDE"))


async def test_one_identity_may_hold_several_roles(people: People) -> None:
    await people.admit("GUIDE", (PHONE, "王芳"))
    consumer = await people.enrol(await people.actor())
    guide = await people.enrol(await people.actor(role="GUIDE"))
    assert consumer.id != guide.id
    assert consumer.identity_id == guide.identity_id


async def test_an_identity_that_is_not_there_enrols_nobody(people: People) -> None:
    with pytest.raises(NotFound):
        await people.enrol(Actor(ActorKind.MEMBER, people.brand_id, new_id(), "CONSUMER"))
    with pytest.raises(NotFound):
        await people.enrol(people.operator)


# --- freezing ----------------------------------------------------------------------------------


async def test_a_frozen_member_cannot_act_until_unfrozen(people: People) -> None:
    actor = await people.actor()
    member = await people.enrol(actor)
    change = people.db.in_transaction
    frozen = await change(members.freeze_member, people.operator, member.id, "farming")
    assert frozen.status == "FROZEN"
    with pytest.raises(MemberFrozen):
        await people.enrol(actor)
    with pytest.raises(MemberFrozen):
        await people.invite(actor, OTHER_PHONE)
    thawed = await change(members.unfreeze_member, people.operator, member.id, "it was not")
    assert thawed.status == "ACTIVE"
    await people.enrol(actor)


async def test_freezing_twice_is_audited_once(people: People) -> None:
    member = await people.enrol(await people.actor())
    for _ in range(2):
        await people.db.in_transaction(members.freeze_member, people.operator, member.id, "farming")
    assert await people.count(AuditLogEntry) == 1


async def test_another_brands_member_cannot_be_frozen(people: People) -> None:
    member = await people.enrol(await people.actor())
    with pytest.raises(NotFound):
        await people.db.in_transaction(
            members.freeze_member, system_actor(new_id()), member.id, "farming"
        )


# --- inviting ----------------------------------------------------------------------------------


async def test_an_invited_phone_is_attributed_when_it_enrols(people: People) -> None:
    await people.admit("GUIDE", (PHONE, "王芳"))
    guide = await people.actor(role="GUIDE")
    invitation = await people.invite(guide, "138 0013 8001")
    consumer = await people.enrol(await people.actor(OTHER_PHONE))
    assert consumer.invited_by_id == (await people.enrol(guide)).id
    async with people.db.snapshot() as snapshot:
        accepted = (await snapshot.session.exec(select(Invitation))).one()
    assert accepted.id == invitation.id
    assert accepted.accepted_member_id == consumer.id
    assert accepted.accepted_at is not None


async def test_an_invitation_is_only_for_a_consumer(people: People) -> None:
    await people.invite(await people.actor(), OTHER_PHONE)
    await people.admit("GUIDE", (OTHER_PHONE, "李娜"))
    guide = await people.enrol(await people.actor(OTHER_PHONE, "GUIDE"))
    assert guide.invited_by_id is None
    consumer = await people.enrol(await people.actor(OTHER_PHONE))
    assert consumer.invited_by_id is not None


async def test_an_invited_phone_and_a_members_phone_get_one_answer(people: People) -> None:
    inviter = await people.actor()
    await people.invite(inviter, OTHER_PHONE)
    with pytest.raises(AlreadyInvited) as invited:
        await people.invite(inviter, OTHER_PHONE)
    await people.enrol(await people.actor("+8613800138002"))
    with pytest.raises(AlreadyInvited) as enrolled:
        await people.invite(inviter, "+8613800138002")
    assert invited.value.details == enrolled.value.details == {}


async def test_a_phone_invited_by_many_at_once_is_invited_by_one(people: People) -> None:
    inviters = [await people.actor(f"+86138001381{i:02d}") for i in range(10)]
    answers = await asyncio.gather(
        *(people.invite(inviter, OTHER_PHONE) for inviter in inviters), return_exceptions=True
    )
    assert sum(isinstance(answer, Invitation) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyInvited) for answer in answers) == 9


@pytest.mark.parametrize("role", ["CONSUMER", "GUIDE"])
async def test_nobody_invites_their_own_phone(people: People, role: str) -> None:
    await people.admit("GUIDE", (PHONE, "王芳"))
    with pytest.raises(InvalidInput):
        await people.invite(await people.actor(role=role), "138 0013 8000")
    assert await people.count(Invitation) == 0


async def test_a_dealer_cannot_invite(people: People) -> None:
    await people.admit("DEALER", (PHONE, "王芳"))
    with pytest.raises(InvalidInput):
        await people.invite(await people.actor(role="DEALER"), OTHER_PHONE)


# --- rosters -----------------------------------------------------------------------------------


async def test_a_roster_is_imported_item_by_item(people: People) -> None:
    await people.admit("GUIDE", (PHONE, "王芳"))
    report = await people.admit(
        "GUIDE",
        ("138 0013 8000", "王芳"),
        (OTHER_PHONE, "李娜"),
        ("not a phone", "张伟"),
        ("+8613800138002", ""),
        ("138-0013-8001", "李娜"),
        ("+8613800138003", "a\x00b"),
    )
    assert (report.added, report.unchanged) == (1, 1)
    assert [index for index, _ in report.rejected] == [2, 3, 4, 5]
    assert not any("138" in reason for _, reason in report.rejected[2:])
    assert await people.count(RosterEntry) == 2


async def test_one_list_imported_many_times_at_once_is_added_once(people: People) -> None:
    entries = [(f"+86138001{i:05d}", f"guide {i}") for i in range(200)]
    reports = await asyncio.gather(
        *(people.admit("GUIDE", *(entries if i % 2 else entries[::-1])) for i in range(6))
    )
    assert sum(report.added for report in reports) == 200
    assert sum(report.unchanged for report in reports) == 1000
    assert await people.count(RosterEntry) == 200


@pytest.mark.parametrize("role", ["CONSUMER", "guide", "KING", ""])
async def test_a_roster_is_of_a_channel_role(people: People, role: str) -> None:
    with pytest.raises(InvalidInput):
        await people.admit(role, (PHONE, "王芳"))


@pytest.mark.parametrize("size", [0, 1001])
async def test_a_roster_has_one_to_a_thousand_entries(people: People, size: int) -> None:
    with pytest.raises(InvalidInput):
        await people.admit("GUIDE", *[(PHONE, "王芳")] * size)


# --- reading -----------------------------------------------------------------------------------


async def test_members_are_listed_newest_first_by_role(people: People) -> None:
    consumers = [await people.enrol(await people.actor(f"+861380013900{i}")) for i in range(4)]
    await people.admit("GUIDE", (PHONE, "王芳"))
    guide = await people.enrol(await people.actor(role="GUIDE"))
    async with people.db.snapshot() as snapshot:
        page = await members.list_members(snapshot, people.brand_id, before=None, limit=3)
        rest = await members.list_members(snapshot, people.brand_id, before=page[-1].id, limit=10)
        of_role = await members.list_members(
            snapshot, people.brand_id, role="GUIDE", before=None, limit=10
        )
        nobody = await members.list_members(snapshot, new_id(), before=None, limit=10)
        by_ids = await members.list_members_by_ids(snapshot, people.brand_id, [guide.id])
        identities = await members.list_identities_by_ids(
            snapshot, people.brand_id, [guide.identity_id]
        )
        with pytest.raises(NotFound):
            await members.get_member(snapshot, new_id(), guide.id)
        with pytest.raises(NotFound):
            await members.get_identity(snapshot, new_id(), guide.identity_id)
    expected = [guide.id, *(member.id for member in reversed(consumers))]
    assert [member.id for member in page + rest] == expected
    assert [member.id for member in of_role + by_ids] == [guide.id, guide.id]
    assert [identity.id for identity in identities] == [guide.identity_id]
    assert nobody == []


async def test_a_refused_act_leaves_no_trace(people: People) -> None:
    actor = await people.actor()

    async def enrol_and_fail(tx: Tx) -> None:
        await members.enrol(tx, actor)
        raise AlreadyInvited

    with pytest.raises(AlreadyInvited):
        await people.db.in_transaction(enrol_and_fail)
    assert await people.count(Member) == 0
    assert await people.count(OutboxEvent) == 0
    async with people.db.snapshot() as snapshot:
        found = await queries.find_member(snapshot, people.brand_id, actor.id, "CONSUMER")
        assert found is None


def test_a_member_can_be_the_first_row_that_a_process_makes() -> None:
    made = "queries.member_of(range(len(queries.names_of(queries._MEMBER)))).id"
    program = f"from loyalty.members import queries; print({made})"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert told.stdout == b"1\n"
