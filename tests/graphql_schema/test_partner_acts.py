"""What partners' keys change is on record: which key, what, and what came of it."""

from sqlmodel import col, select

from graphql_schema.pagination import find_id_of
from loyalty.actor import ActorKind
from loyalty.audit_log import AuditLogEntry
from loyalty.db import Database
from tests.graphql_schema.allied import issuer
from tests.graphql_schema.stage import Stage

MINE = "{ myPartnerKey { id } }"


async def test_a_change_by_key_is_in_the_audit_log_once_and_a_refusal_is_not(
    stage: Stage, db: Database
) -> None:
    key, asked = await issuer(stage)
    wanted = asked | {"idempotencyKey": "order 1"}
    issue = (await key.done("issuePartnersCoupon", **wanted))["issue"]
    assert (await key.done("issuePartnersCoupon", **wanted))["replayed"]
    refused = await key.do("issuePartnersCoupon", **asked | {"memberToken": "A" * 43})
    assert refused["code"] == "MEMBER_UNKNOWN"
    async with db.snapshot() as snapshot:
        found = await snapshot.session.exec(
            select(AuditLogEntry).where(col(AuditLogEntry.actor_kind) == ActorKind.PARTNER.value)
        )
        acts = [each for each in found if each.brand_id == stage.brand_id]
    [act] = acts
    key_id = (await key.ask(MINE))["myPartnerKey"]["id"]
    assert act.actor_id == find_id_of("PartnerKey", key_id)
    assert act.action == "partner.issuePartnersCoupon"
    assert act.subject_id == find_id_of("PartnerIssue", issue["id"])
