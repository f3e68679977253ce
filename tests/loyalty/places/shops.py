"""A place with a till and a clerk, as an operator sets it up."""

from dataclasses import dataclass
from typing import Any

from loyalty.actor import CLERK_ROLE, Actor, ActorKind, system_actor
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.places import service as places
from loyalty.places.models import Clerk, Place, Till
from loyalty.places.rules import Desk

PIN = "2468"
WRONG_PIN = "1357"
PHONE = "+8613800138000"
REASON = "as agreed"
NO_PIN = places.NewPin(clear="", hash="$argon2id$ of nothing")

PLACE: dict[str, Any] = {
    "code": "SH-001",
    "name": "Corner shop",
    "address": "1 Nanjing Road, Shanghai",
    "payout_threshold_fen": 10_000,
}


@dataclass
class Shop:
    """One place of one brand; ``key`` opens its till."""

    db: Database
    keyring: Keyring
    actor: Actor
    place: Place
    till: Till
    key: str
    clerk: Clerk

    @property
    def at_till(self) -> Actor:
        """The clerk, signed in."""
        return Actor(
            ActorKind.CLERK,
            self.place.brand_id,
            self.clerk.id,
            CLERK_ROLE,
            place_id=self.place.id,
            till_id=self.till.id,
        )

    async def add_till(self, name: str) -> places.NewTill:
        return await self.db.in_transaction(
            places.create_till, self.actor, self.keyring, place_id=self.place.id, name=name
        )

    async def add_clerk(self, number: str, *, signs_in: bool = False) -> Clerk:
        pin = NO_PIN
        if signs_in:
            pin = await places.prepare_pin(self.keyring, self.actor.brand_id, PIN)
        return await self.db.in_transaction(
            places.create_clerk,
            self.actor,
            place_id=self.place.id,
            number=number,
            name="Li",
            pin=pin,
        )

    async def attempt(
        self, *, key: str | None = None, number: str | None = None
    ) -> places.ClerkAttempt:
        """Step one, with what is right unless said otherwise."""
        async with self.db.snapshot() as snapshot:
            return await places.find_clerk_sign_in(
                snapshot,
                self.keyring,
                self.actor.brand_id,
                self.key if key is None else key,
                self.clerk.number if number is None else number,
            )

    async def sign_in(
        self, pin: str = PIN, *, key: str | None = None, number: str | None = None
    ) -> Desk | None:
        """All three steps."""
        attempt = await self.attempt(key=key, number=number)
        matched = await places.match_pin(self.keyring, attempt, pin)
        return await self.settle(attempt, matched)

    async def guess_right(self, **at: str) -> Desk | None:
        """As ``sign_in`` with the right PIN, without the time of a hash."""
        return await self.settle(await self.attempt(**at), True)

    async def settle(self, attempt: places.ClerkAttempt, matched: bool) -> Desk | None:
        return await self.db.in_transaction(places.settle_clerk_sign_in, attempt, matched)


async def open_shop(
    db: Database, keyring: Keyring, brand: Brand, *, signs_in: bool = False, **more: Any
) -> Shop:
    """``signs_in``: the clerk's PIN works, which takes the time of a hash."""
    actor = system_actor(brand.id)
    place = await db.in_transaction(places.create_place, actor, keyring, **(PLACE | more))
    new = await db.in_transaction(
        places.create_till, actor, keyring, place_id=place.id, name="Till 1"
    )
    pin = NO_PIN if not signs_in else await places.prepare_pin(keyring, brand.id, PIN)
    clerk = await db.in_transaction(
        places.create_clerk, actor, place_id=place.id, number="7", name="Wang", pin=pin
    )
    return Shop(db, keyring, actor, place, new.till, new.key, clerk)
