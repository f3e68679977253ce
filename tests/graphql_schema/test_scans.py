"""Scanning through GraphQL, where the server's memory may be what decides."""

import asyncio

from loyalty.db import Database
from loyalty.settings import Settings
from tests.api import Api, api_in_process
from tests.graphql_schema.stage import Stage, open_stage

BURST = 20


async def test_a_server_that_has_just_started_knows_every_genuine_code(
    stage: Stage, settings: Settings
) -> None:
    await stage.publish()
    [codes] = await stage.codes(BURST)
    people = [await stage.member(f"138001380{number:02d}") for number in range(BURST)]
    async with api_in_process(settings) as fresh:
        callers = [fresh.signed_in(person.token or "") for person in people]
        scans = [
            caller.done("scanCode", code=code) for caller, code in zip(callers, codes, strict=True)
        ]
        receipts = await asyncio.gather(*scans)
    assert {receipt["verdict"] for receipt in receipts} == {"FIRST"}


async def test_a_brands_first_code_is_known_right_after_others_were_looked_for(
    stage: Stage, api: Api, db: Database, settings: Settings
) -> None:
    await stage.publish()
    guesser = await stage.member("13800138001")
    for guess in range(3):
        await guesser.do("scanCode", code=f"{guess:03d}" + "0" * 26)
    await (await stage.member("13800138002")).done("scanCode", code=await stage.code())
    other = await open_stage(api, db, settings, "other")
    await other.publish()
    receipt = await (await other.member("13800138002")).done("scanCode", code=await other.code())
    assert receipt["verdict"] == "FIRST"
