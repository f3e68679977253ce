"""Places, tills and clerks: set up once, each in its own brand, and in service or not."""

from typing import Any

import pytest
from sqlmodel import select

from loyalty.access.models import SignInSession
from loyalty.access.sessions import open_session
from loyalty.actor import Actor, ActorKind, system_actor
from loyalty.audit_log import AuditLogEntry
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database, Tx
from loyalty.errors import AlreadyExists, InvalidInput, NotFound, PlaceClosed
from loyalty.ids import new_id
from loyalty.ledger.models import Account
from loyalty.ledger.queries import list_place_accounts
from loyalty.members.models import RosterEntry
from loyalty.places import queries
from loyalty.places import service as places
from loyalty.places.models import Place
from tests.loyalty.places.shops import PHONE, PIN, PLACE, REASON, open_shop


async def actions(db: Database) -> list[str]:
    async with db.snapshot() as snapshot:
        rows = await snapshot.session.exec(select(AuditLogEntry).order_by("id"))
        return [row.action for row in rows]


async def other_brand(db: Database) -> Brand:
    async def add(tx: Tx) -> Brand:
        brand = Brand(slug="other", name="Other", created_at=tx.now)
        await tx.add(brand)
        return brand

    return await db.in_transaction(add)


# --- setting up --------------------------------------------------------------------------------


async def test_a_place_is_open_and_has_an_empty_rebate_account_of_its_own(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand, latitude=31.2, longitude=121.4, payee="store-1")
    async with db.snapshot() as snapshot:
        kept = await places.get_place(snapshot, brand.id, shop.place.id)
        [account] = await list_place_accounts(snapshot, brand.id, [kept.id])
    assert (kept.status, kept.payee, kept.latitude, kept.longitude) == (
        "OPEN",
        "store-1",
        31.2,
        121.4,
    )
    assert (account.kind, account.asset, account.overdraft_allowed) == ("PLACE", "CASH", True)
    assert (account.credits_posted, account.credits_pending) == (0, 0)
    assert await actions(db) == ["place.create", "till.create", "clerk.create"]


async def test_a_store_phone_is_sealed_put_on_the_roster_and_finds_its_places(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    first = await open_shop(db, keyring, brand, store_phone="138 0013 8000")
    second = await db.in_transaction(
        places.create_place, first.actor, keyring, **(PLACE | {"code": "2", "store_phone": PHONE})
    )
    phone_hash = keyring.lookup_hash(brand.id, "phone", PHONE)
    async with db.snapshot() as snapshot:
        mine = await places.places_of_store_phone(snapshot, brand.id, phone_hash)
        theirs = await places.places_of_store_phone(snapshot, new_id(), phone_hash)
        [entry] = (await snapshot.session.exec(select(RosterEntry))).all()
        both = await places.find_places_by_ids(snapshot, brand.id, [first.place.id, second.id])
        none = await places.find_places_by_ids(snapshot, new_id(), [first.place.id])
    assert [place.id for place in mine] == [first.place.id, second.id]
    assert {place.id for place in both} == {first.place.id, second.id}
    assert theirs == none == []
    assert (entry.role, entry.phone_hash, entry.name) == ("STORE", phone_hash, "Corner shop")
    assert places.masked_store_phone(keyring, second) == "+86138****8000"
    assert PHONE not in repr(mine)


async def test_a_place_that_makes_no_sense_leaves_nothing(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    for field, wrong in (
        ("code", " "),
        ("code", "x" * 65),
        ("name", "a\0b"),
        ("address", ""),
        ("latitude", 31.2),
        ("store_phone", "110"),
        ("payee", "x" * 129),
        ("payout_threshold_fen", 0),
    ):
        with pytest.raises(InvalidInput):
            await db.in_transaction(
                places.create_place, system_actor(brand.id), keyring, **(PLACE | {field: wrong})
            )
    async with db.snapshot() as snapshot:
        for table in (Place, Account, RosterEntry, AuditLogEntry):
            assert (await snapshot.session.exec(select(table))).all() == []


async def test_codes_names_and_numbers_are_taken_once_where_they_count(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand)
    before = await actions(db)
    with pytest.raises(AlreadyExists):
        await db.in_transaction(places.create_place, shop.actor, keyring, **PLACE)
    with pytest.raises(AlreadyExists):
        await shop.add_till("Till 1")
    await shop.add_clerk("a7")
    with pytest.raises(AlreadyExists):
        await shop.add_clerk("A7")
    assert await actions(db) == [*before, "clerk.create"]
    other = await open_shop(db, keyring, await other_brand(db))
    assert (other.place.code, other.clerk.number) == (shop.place.code, shop.clerk.number)


async def test_a_revoked_till_leaves_its_name_to_its_successor(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand)
    revoked = await db.in_transaction(places.revoke_till, shop.actor, shop.till.id, REASON)
    assert revoked.status == "REVOKED"
    successor = await shop.add_till("Till 1")
    assert successor.key != shop.key
    assert (await shop.attempt()).till_id is None
    assert (await shop.attempt(key=successor.key)).till_id == successor.till.id
    await db.in_transaction(places.revoke_till, shop.actor, shop.till.id, REASON)
    assert (await actions(db)).count("till.revoke") == 1


async def test_what_is_another_brands_is_not_there(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand)
    stranger = system_actor((await other_brand(db)).id)
    pin = await places.prepare_pin(keyring, stranger.brand_id, PIN)
    clerk: dict[str, Any] = {"place_id": shop.place.id, "number": "8", "name": "Li", "pin": pin}
    till: dict[str, Any] = {"place_id": shop.place.id, "name": "Till 2"}
    before = await actions(db)
    for call in (
        lambda tx: places.close_place(tx, stranger, shop.place.id, REASON),
        lambda tx: places.reopen_place(tx, stranger, shop.place.id, REASON),
        lambda tx: places.create_till(tx, stranger, keyring, **till),
        lambda tx: places.revoke_till(tx, stranger, shop.till.id, REASON),
        lambda tx: places.create_clerk(tx, stranger, **clerk),
        lambda tx: places.set_clerk_pin(tx, stranger, shop.clerk.id, pin),
        lambda tx: places.set_clerk_status(
            tx, stranger, shop.clerk.id, active=False, reason=REASON
        ),
        lambda tx: places.get_place(tx, stranger.brand_id, shop.place.id),
    ):
        with pytest.raises(NotFound):
            await db.in_transaction(call)
    assert await actions(db) == before
    assert (await shop.attempt()).pin_hash == shop.clerk.pin_hash


async def test_a_key_and_a_pin_are_kept_as_hashes_and_shown_by_nobody(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand, signs_in=True)
    new = await shop.add_till("Till 2")
    assert new.key.startswith("till_")
    assert new.till.key_hint == new.key[-4:]
    assert new.key not in repr(new)
    made = await places.prepare_pin(keyring, brand.id)
    assert len(made.clear) == 6
    assert f"'{made.clear}'" not in repr(made)
    assert made.hash not in repr(made)
    assert shop.clerk.pin_hash.startswith("$argon2id$")
    # Every PIN there is could be tried against a stolen table, but for the master key.
    others = Keyring(b"o" * 32)
    assert not await places.match_pin(others, await shop.attempt(), PIN)
    assert await places.match_pin(keyring, await shop.attempt(), PIN)


# --- in service --------------------------------------------------------------------------------


async def test_a_desk_is_the_clerks_place_till_and_row_as_they_are_now(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand)
    desk = await db.in_transaction(places.require_desk, shop.at_till)
    assert (desk.place.id, desk.till.id, desk.clerk.id) == (
        shop.place.id,
        shop.till.id,
        shop.clerk.id,
    )
    actor, clerk_id = shop.actor, shop.clerk.id

    async def assert_closed(closed: bool) -> None:
        async with db.snapshot() as snapshot:
            if closed:
                with pytest.raises(PlaceClosed):
                    await places.require_desk(snapshot, shop.at_till)
            else:
                await places.require_desk(snapshot, shop.at_till)
            in_service = await places.clerk_in_service(snapshot, brand.id, clerk_id, shop.till.id)
        assert in_service is not closed
        assert ((await shop.attempt()).clerk_id is None) is closed

    for close, reopen in (
        (
            lambda tx: places.close_place(tx, actor, shop.place.id, REASON),
            lambda tx: places.reopen_place(tx, actor, shop.place.id, REASON),
        ),
        (
            lambda tx: places.set_clerk_status(tx, actor, clerk_id, active=False, reason=REASON),
            lambda tx: places.set_clerk_status(tx, actor, clerk_id, active=True, reason=REASON),
        ),
    ):
        await db.in_transaction(close)
        await db.in_transaction(close)  # a second time changes and records nothing
        await assert_closed(True)
        await db.in_transaction(reopen)
        await assert_closed(False)
    await db.in_transaction(places.revoke_till, actor, shop.till.id, REASON)
    await assert_closed(True)
    assert (await actions(db))[3:] == [
        *("place.close", "place.reopen", "clerk.leave", "clerk.return", "till.revoke")
    ]


async def test_a_desk_is_of_one_place_and_of_clerks_alone(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand)
    other = await open_shop(db, keyring, brand, code="SH-002")
    mine = shop.at_till
    for place, till, clerk in (
        (other.place, shop.till, shop.clerk),
        (shop.place, other.till, shop.clerk),
        (shop.place, shop.till, other.clerk),
        (other.place, other.till, shop.clerk),
    ):
        mixed = Actor(mine.kind, brand.id, clerk.id, mine.role, place_id=place.id, till_id=till.id)
        async with db.snapshot() as snapshot:
            with pytest.raises(PlaceClosed):
                await places.require_desk(snapshot, mixed)
    foreign = Actor(
        mine.kind, new_id(), mine.id, mine.role, place_id=shop.place.id, till_id=shop.till.id
    )
    member = Actor(ActorKind.MEMBER, brand.id, mine.id, "STORE", place_id=shop.place.id)
    async with db.snapshot() as snapshot:
        assert not await places.clerk_in_service(snapshot, brand.id, mine.id, other.till.id)
        with pytest.raises(PlaceClosed):
            await places.require_desk(snapshot, foreign)
        for nobody in (shop.actor, member, Actor(mine.kind, brand.id, mine.id, mine.role)):
            with pytest.raises(NotFound):
                await places.require_desk(snapshot, nobody)
    assert shop.clerk.number == other.clerk.number
    assert (await other.attempt()).clerk_id == other.clerk.id


async def test_another_pin_and_leaving_end_what_was_signed_in(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand)
    pin = await places.prepare_pin(keyring, brand.id, "99999999")
    for verb in (
        lambda tx: places.set_clerk_pin(tx, shop.actor, shop.clerk.id, pin),
        lambda tx: places.set_clerk_status(
            tx, shop.actor, shop.clerk.id, active=False, reason=REASON
        ),
    ):
        await db.in_transaction(open_session, keyring, shop.at_till, 3600)
        await db.in_transaction(verb)
    async with db.snapshot() as snapshot:
        ended = (await snapshot.session.exec(select(SignInSession).order_by("id"))).all()
    assert [session.revoked_reason for session in ended] == ["PIN_CHANGED", "LEFT"]


async def test_lists_are_of_one_place_newest_first_page_by_page(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    shop = await open_shop(db, keyring, brand)
    other = await open_shop(db, keyring, brand, code="SH-002")
    second = (await shop.add_till("Till 2")).till
    clerk = await shop.add_clerk("8")
    async with db.snapshot() as snapshot:
        tills = await queries.list_tills(snapshot, brand.id, shop.place.id, before=None, limit=10)
        older = await queries.list_tills(
            snapshot, brand.id, shop.place.id, before=second.id, limit=10
        )
        clerks = await queries.list_clerks(snapshot, brand.id, shop.place.id, before=None, limit=1)
        listed = await queries.list_places(snapshot, brand.id, before=other.place.id, limit=10)
        assert (
            await queries.list_tills(snapshot, new_id(), shop.place.id, before=None, limit=10) == []
        )
    assert ids(tills) == [second.id, shop.till.id]
    assert ids(older) == [shop.till.id]
    assert ids(clerks) == [clerk.id]
    assert ids(listed) == [shop.place.id]


def ids(rows: list[Any]) -> list[Any]:
    return [row.id for row in rows]
