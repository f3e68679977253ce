"""A brand made and run by its public surface alone: the command line and GraphQL over HTTP."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyotp

from tests.api import Api, Caller, Host

T = TypeVar("T")

WORKED_OFF_SECONDS_MAX = 30
REST_SECONDS = 0.05

BRAND = "demo"
ADMIN = "admin@example.com"

POINTS = "POINTS"
GROWTH = "GROWTH"


def outcome(beneficiary: str, asset: str, amount: int) -> dict[str, Any]:
    """What one beneficiary gets of one asset per scan."""
    return {"beneficiary": beneficiary, "asset": asset, "amount": amount}


BOTH_PAID = (
    outcome("CONSUMER", POINTS, 100),
    outcome("CONSUMER", GROWTH, 50),
    outcome("GUIDE", POINTS, 30),
)


def coupon_outcome(template_id: str) -> dict[str, Any]:
    """One coupon for the consumer per scan."""
    return {"beneficiary": "CONSUMER", "couponTemplateId": template_id}


async def eventually(ask: Callable[[], Awaitable[T]], has_come: Callable[[T], bool]) -> T:
    """Ask until what workers do has come: that answer."""
    deadline = time.monotonic() + WORKED_OFF_SECONDS_MAX
    while not has_come(answer := await ask()):
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(REST_SECONDS)
    return answer


REBATES = "{ myPlaces { code name rebates { balanceFen pendingFen payableFen } } }"
PAYOUTS = "{ myPayouts { nodes { number amountFen status payee place { name } } } }"


@dataclass(frozen=True)
class Till:
    """What a point of sale keeps, and the clerk who has signed in there."""

    id: str
    name: str
    key: str
    clerk: Caller


@dataclass(frozen=True)
class Store:
    """A place with tills; ``owner`` is the STORE member who acts for it."""

    id: str
    name: str
    owner: Caller
    tills: Sequence[Till]

    async def rebates(self) -> tuple[int, int, int]:
        """(booked, to be booked, may be paid out) in fen, as its owner sees them."""
        [place] = (await self.owner.ask(REBATES))["myPlaces"]
        assert place["name"] == self.name
        rebates = place["rebates"]
        return rebates["balanceFen"], rebates["pendingFen"], rebates["payableFen"]

    async def payouts(self) -> list[Any]:
        """What it was paid, newest first, as its owner sees it."""
        return list((await self.owner.ask(PAYOUTS))["myPayouts"]["nodes"])


class Logged(Protocol):
    """Whatever writes one-time codes to its console: a server, or several."""

    def log_text(self) -> str: ...


@dataclass
class Shop:
    """``admin`` is an operator; ``product_id`` a global id."""

    api: Api
    host: Host
    server: Logged
    folder: Path
    admin: Caller
    product_id: str

    async def person(self, phone: str, role: str = "CONSUMER") -> Caller:
        """Somebody who signs in by phone; the code is read where the console provider puts it."""
        nobody = self.api.nobody
        sent = await nobody.done("requestSignInCode", brand=BRAND, phone=phone)
        assert phone not in sent["sentTo"]
        codes = re.findall(rf"sign-in code for \+86{phone}: (\d{{6}})", self.server.log_text())
        signed = await nobody.done(
            "signInByCode", brand=BRAND, phone=phone, code=codes[-1], role=role
        )
        return self.api.signed_in(signed["token"])

    async def guide(self, phone: str) -> Caller:
        """A guide who is on the roster."""
        await self.admin.done(
            "importRoster", role="GUIDE", entries=[{"phone": phone, "name": "导购小王"}]
        )
        return await self.person(phone, "GUIDE")

    async def print_codes(self, quantity: int, *kinds: str, active: bool = True) -> list[list[str]]:
        """The codes of new batches, a list a kind; the same place is the same item."""
        ordered = await self.admin.done(
            "createCodeBatch", productId=self.product_id, quantity=quantity, kinds=list(kinds)
        )
        numbers = [batch["number"] for batch in ordered["batches"]]
        printed = await asyncio.gather(*(self._print(number) for number in numbers))
        if active:
            await self.admin.done("activateCodeBatch", id=ordered["batches"][0]["id"])
        return printed

    async def _print(self, number: int) -> list[str]:
        file = self.folder / f"batch-{number}.txt"
        await self.host.run("codes", "generate", str(number), "--brand", BRAND, "--file", str(file))
        return file.read_text().split()

    async def publish(
        self, outcomes: Sequence[dict[str, Any]] = BOTH_PAID, **more: Any
    ) -> dict[str, Any]:
        """Publish the scan campaign, or its next version."""
        published: dict[str, Any] = await self.admin.done(
            "publishCampaign",
            **{"code": "scan", "nameZh": "一码双奖", "nameEn": "One code, two rewards"} | more,
            outcomes=list(outcomes),
        )
        return published

    async def template(self, code: str, kind: str, **terms: Any) -> str:
        """The id of a new kind of coupon on the product, good for 30 days."""
        made = await self.admin.done(
            "createCouponTemplate",
            **{"code": code, "kind": kind, "productId": self.product_id, "usableDays": 30} | terms,
        )
        template_id: str = made["template"]["id"]
        return template_id

    async def store(self, code: str, name: str, phone: str, tills: int = 1, **terms: Any) -> Store:
        """A new place whose tills each have a clerk signed in, and its owner, by phone."""
        made = await self.admin.done(
            "createPlace",
            **{"address": "上海市黄浦区南京东路1号", "payoutThresholdFen": 100_000} | terms,
            code=code,
            name=name,
            storePhone=phone,
        )
        place_id = made["place"]["id"]
        opened = [await self._till(place_id, number) for number in range(1, tills + 1)]
        return Store(place_id, name, await self.person(phone, "STORE"), opened)

    async def _till(self, place_id: str, number: int) -> Till:
        name, staff_number = f"{number}号收银台", f"A{number}"
        till = await self.admin.done("createTill", placeId=place_id, name=name)
        hired = await self.admin.done(
            "createClerk", placeId=place_id, number=staff_number, name=f"店员{number}"
        )
        signed = await self.api.nobody.done(
            "signInClerk",
            brand=BRAND,
            tillKey=till["key"],
            clerkNumber=staff_number,
            pin=hired["pin"],
        )
        return Till(till["till"]["id"], name, till["key"], self.api.signed_in(signed["token"]))


async def open_shop(api: Api, host: Host, server: Logged, folder: Path, *options: str) -> Shop:
    """Make the brand on the host, with more ``options``, and enter it."""
    made = await host.run("brand", "create", BRAND, "--admin-email", ADMIN, *options)
    return await enter_shop(
        api, host, server, folder, ADMIN, made["admin_password"], made["admin_totp_secret"]
    )


async def enter_shop(
    api: Api,
    host: Host,
    server: Logged,
    folder: Path,
    email: str,
    password: str,
    totp_secret: str,
) -> Shop:
    """Sign the operator of the brand in, and add a product."""
    signed = await api.nobody.done(
        "signInOperator",
        brand=BRAND,
        email=email,
        password=password,
        totp=pyotp.TOTP(totp_secret).now(),
    )
    admin = api.signed_in(signed["token"])
    product = await admin.done(
        "createProduct", sku="BEER-500", nameZh="精酿啤酒", nameEn="Craft beer"
    )
    return Shop(api, host, server, folder, admin, product["product"]["id"])
