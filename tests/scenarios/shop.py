"""A brand made and run by its public surface alone: the command line and GraphQL over HTTP."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyotp

from tests.api import Api, Caller, Host
from tests.servers import ServerProcess

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


@dataclass
class Shop:
    """``admin`` is an operator; ``product_id`` a global id."""

    api: Api
    host: Host
    server: ServerProcess
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
            await self.host.run("codes", "activate", str(numbers[0]), "--brand", BRAND)
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


async def open_shop(api: Api, host: Host, server: ServerProcess, folder: Path) -> Shop:
    """Make the brand on the host, sign its operator in, and add a product."""
    made = await host.run("brand", "create", BRAND, "--admin-email", ADMIN)
    signed = await api.nobody.done(
        "signInOperator",
        brand=BRAND,
        email=ADMIN,
        password=made["admin_password"],
        totp=pyotp.TOTP(made["admin_totp_secret"]).now(),
    )
    admin = api.signed_in(signed["token"])
    product = await admin.done(
        "createProduct", sku="BEER-500", nameZh="精酿啤酒", nameEn="Craft beer"
    )
    return Shop(api, host, server, folder, admin, product["product"]["id"])
