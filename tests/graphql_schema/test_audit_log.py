"""The audit log: who did what to what, and who may read that."""

from datetime import timedelta
from typing import Any

from graphql_schema.pagination import encode_id, find_id
from loyalty.access.service import create_operator, prepare_password
from loyalty.actor import GRANTS_BY_ROLE, Actor, ActorKind, OperatorRole, system_actor
from loyalty.clock import local_date, utc_now
from tests.api import Caller
from tests.graphql_schema.allied import issuer
from tests.graphql_schema.stage import Stage

LOG = """query ($subject: ID, $actor: ID, $action: String, $from: Date, $until: Date, $first: Int,
    $after: String) {
  auditLog(subjectId: $subject, actorId: $actor, action: $action, from: $from, until: $until,
    first: $first, after: $after) {
    nodes { id createdAt actorKind actorId actorName action subject reason details }
    pageInfo { hasNextPage endCursor } } }"""


async def log(caller: Caller, **wanted: Any) -> list[Any]:
    return list((await caller.ask(LOG, **wanted))["auditLog"]["nodes"])


async def ada(stage: Stage) -> tuple[str, Caller]:
    """The global id of an administrator with a name, and she has signed in."""
    made = await stage.database.in_transaction(
        create_operator,
        system_actor(stage.brand_id),
        stage.keyring,
        email="ada@example.com",
        name="Ada",
        role="ADMIN",
        password=await prepare_password("correct horse battery"),
    )
    id, role = made.row.id, OperatorRole.ADMIN
    actor = Actor(ActorKind.OPERATOR, stage.brand_id, id, role.value, GRANTS_BY_ROLE[role])
    return encode_id("Operator", id), stage.caller(actor)


async def test_what_was_done_to_a_thing_is_told_with_who_and_why(stage: Stage) -> None:
    id, caller = await ada(stage)
    where = {"code": "audited", "name": "街角店", "address": "人民路1号", "payoutThresholdFen": 1}
    place = (await caller.done("createPlace", **where))["place"]["id"]
    closed = {"placeId": place, "open": False, "reason": "moved away"}
    await caller.done("setPlaceStatus", **closed)
    newest, oldest = await log(caller, subject=place)
    assert oldest["action"] == "place.create" and oldest["details"] == {"code": "audited"}
    assert newest["reason"] == "moved away" and newest["createdAt"] >= oldest["createdAt"]
    assert {row["actorName"] for row in (newest, oldest)} == {"Ada"}
    found = find_id(place)
    assert found is not None and newest["subject"] == found[1].hex
    assert await log(caller, actor=id) == [newest, oldest]
    assert await log(caller, actor=id, action="place.create") == [oldest]
    page = (await caller.ask(LOG, actor=id, first=1))["auditLog"]
    assert page["nodes"] == [newest] and page["pageInfo"]["hasNextPage"]
    assert await log(caller, actor=id, after=page["pageInfo"]["endCursor"]) == [oldest]


async def test_days_are_those_of_the_brand(stage: Stage) -> None:
    today = local_date(utc_now(), "Asia/Shanghai")
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    whole = await log(stage.admin, first=100)
    near = {"from": yesterday.isoformat(), "until": tomorrow.isoformat()}
    assert whole and await log(stage.admin, **near, first=100) == whole
    assert await log(stage.admin, until=(today - timedelta(days=2)).isoformat()) == []
    reply = await stage.admin.send(LOG, {"from": near["until"], "until": near["from"]})
    assert reply.codes == ["INVALID"]
    assert await log(stage.admin, subject="no id") == []


async def test_a_partners_system_is_told_by_its_key_and_to_its_own_brand(stage: Stage) -> None:
    issuers = await stage.sister("audited")
    key, asked = await issuer(issuers)
    await key.done("issuePartnersCoupon", **asked)
    [row] = await log(issuers.admin, action="partner.issuePartnersCoupon")
    assert (row["actorKind"], row["actorName"]) == ("PARTNER", "ERP")
    assert await log(issuers.admin, actor=row["actorId"]) == [row]
    mine = await log(stage.admin, action="partner.issuePartnersCoupon", first=100)
    assert row not in mine
    assert await log(stage.admin, actor=row["actorId"]) == []
    host = await log(issuers.admin, action="brand.create")
    assert [(each["actorKind"], each["actorId"], each["actorName"]) for each in host] == [
        ("SYSTEM", None, None)
    ]


async def test_administrators_alone_read_it(stage: Stage) -> None:
    for role in OperatorRole:
        allowed = role is OperatorRole.ADMIN
        assert (await stage.operator(role).send(LOG)).codes == ([] if allowed else ["FORBIDDEN"])
