"""Keys of partners' systems over HTTP: scopes, rotation, addresses, limits, revoking, usage."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from loyalty.actor import Scope
from loyalty.clock import utc_now
from loyalty.db import Database
from loyalty.partner_keys.service import read_holder
from loyalty.settings import Settings
from tests.api import api_in_process
from tests.graphql_schema.allied import agreed, ally
from tests.graphql_schema.stage import Stage, all_rows, open_stage

MINE = "{ myPartnerKey { id name start scopes networks revokedAt } }"
OURS = "{ partnerKeys { nodes { id uses { fieldName calls } } } }"
ANYWHERE = ""


async def make(stage: Stage, **wanted: Any) -> Any:
    asked = {"name": "ERP", "scopes": ["READ_COUPONS"]} | wanted
    return await stage.admin.done("createPartnerKey", **asked)


async def test_a_key_is_its_brands_and_its_own_and_nothing_else(stage: Stage) -> None:
    made = await make(stage)
    erp = stage.api.signed_in(made["key"])
    mine = (await erp.ask(MINE))["myPartnerKey"]
    assert mine["id"] == made["partnerKey"]["id"]
    assert mine["scopes"] == ["READ_COUPONS"]
    assert made["key"].startswith(mine["start"])
    for document in ("{ me { id } }", "{ members { nodes { id } } }", OURS):
        assert (await erp.send(document)).codes == ["FORBIDDEN"]
    assert (await stage.admin.send(MINE)).codes == ["FORBIDDEN"]
    assert (await stage.api.nobody.send(MINE)).codes == ["UNAUTHENTICATED"]


async def test_a_rotated_key_is_good_for_a_while_and_a_revoked_one_not_at_all(
    stage: Stage, db: Database
) -> None:
    made = await make(stage)
    key = {"keyId": made["partnerKey"]["id"]}
    old = stage.api.signed_in(made["key"])
    rotated = await stage.admin.done("rotatePartnerKey", **key, overlapSeconds=60)
    new = stage.api.signed_in(rotated["key"])
    for caller in (old, new):
        assert (await caller.ask(MINE))["myPartnerKey"]["id"] == key["keyId"]
    for seconds, is_good in ((50, True), (70, False)):
        then = utc_now() + timedelta(seconds=seconds)
        holder = await read_holder(db, made["key"], ANYWHERE, then)
        assert (holder is not None) is is_good
        assert await read_holder(db, rotated["key"], ANYWHERE, then) is not None
    await stage.admin.done("revokePartnerKey", **key, reason="leaked")
    for caller in (old, new):
        assert (await caller.send(MINE)).status == 401


async def test_a_key_is_good_from_its_networks_alone(stage: Stage, db: Database) -> None:
    made = await make(stage, networks=["203.0.113.0/24", "2001:db8::/32"])
    assert (await stage.api.signed_in(made["key"]).send(MINE)).status == 401
    for address, is_good in (
        ("203.0.113.7", True),
        ("::ffff:203.0.113.7", True),
        ("2001:db8::7", True),
        ("203.0.114.7", False),
        ("::ffff:203.0.114.7", False),
        ("2001:db9::7", False),
        ("", False),
    ):
        holder = await read_holder(db, made["key"], address, utc_now())
        assert (holder is not None) is is_good, address
    for wrong in ("203.0.113.7/24", "everywhere", "10.0.0.0/33", "1" * 60):
        networks = {"networks": ["10.0.0.0/8", wrong]}
        refused = await stage.admin.do(
            "configurePartnerKey", keyId=made["partnerKey"]["id"], **networks
        )
        assert refused["details"]["field"] == "networks.1"


async def test_a_key_has_its_own_limit_and_its_calls_are_counted(
    db: Database, settings: Settings
) -> None:
    limited = settings.model_copy(update={"throttle": True})
    async with api_in_process(limited) as api:
        stage = await open_stage(api, db, settings, "ours")
        made = await make(stage, requestsPerMinute=3)
        erp = stage.api.signed_in(made["key"])
        for _ in range(3):
            assert (await erp.send(MINE)).status == 200
        turned_away = await erp.send(MINE)
        assert (turned_away.status, turned_away.codes) == (429, ["THROTTLED"])
        other = stage.api.signed_in((await make(stage))["key"])
        assert (await other.send("{ one: myPartnerKey { id } }")).status == 200
    async with api_in_process(settings) as api:  # the first one wrote its figures as it ended
        admin = replace(stage.admin, api=api)
        unlimited, limited_key = (await admin.ask(OURS))["partnerKeys"]["nodes"]
    assert limited_key["uses"] == [{"fieldName": "myPartnerKey", "calls": 3}]
    assert unlimited["uses"] == [{"fieldName": "myPartnerKey", "calls": 1}]


async def test_nothing_that_was_shown_once_is_kept(stage: Stage) -> None:
    made = await make(stage, scopes=[scope.name for scope in Scope])
    key = {"keyId": made["partnerKey"]["id"]}
    rotated = await stage.admin.done("rotatePartnerKey", **key)
    kept = str(await all_rows(stage.database))
    for secret in (made["key"], rotated["key"]):
        assert secret not in kept


AGREED = "{ agreements { nodes { id partnerSlug versions { terms { lines { templateCode } } } } } }"


async def test_a_key_reads_its_brands_side_of_agreements_and_no_third_ones(stage: Stage) -> None:
    id = await agreed(stage)
    partner, third = await ally(stage), await ally(stage, "third")
    lists = []
    for brand in (stage, partner, third):
        erp = stage.api.signed_in((await make(brand))["key"])
        lists.append((await erp.ask(AGREED))["agreements"]["nodes"])
    ours, theirs, thirds = lists
    assert [each["id"] for each in (*ours, *theirs)] == [id, id]
    assert [each["partnerSlug"] for each in (*ours, *theirs)] == [partner.slug, stage.slug]
    assert ours[0]["versions"] == theirs[0]["versions"]
    assert thirds == []
    narrow = stage.api.signed_in((await make(stage, scopes=["READ_STATEMENTS"]))["key"])
    assert (await narrow.send(AGREED)).codes == ["FORBIDDEN"]
