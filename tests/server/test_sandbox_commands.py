"""A sandbox is all that a partner's integrator begins with, and its books are in order."""

from graphql_schema.pagination import encode_id, find_id_of
from loyalty.brands.service import get_brand_by_slug
from loyalty.db import Database
from loyalty.ledger.audit import audit
from loyalty.settings import load_settings
from rewards.alliances.service import line_in_force
from server.console import Exit
from tests.api import api_in_process
from tests.server.commands import Commands

SIGN_IN = """mutation ($input: SignInClerkInput!) { signInClerk(input: $input) {
  __typename ... on SignInReceipt { role } } }"""


async def test_a_sandbox_has_two_brands_that_agree_and_a_key_that_works(
    command: Commands, db: Database
) -> None:
    made = (await command("sandbox", "create", "trial", "--json")).json
    async with api_in_process(load_settings(), db) as api:
        key = await api.signed_in(made["partner_key"]).ask("{ myPartnerKey { name scopes } }")
        assert key["myPartnerKey"]["name"] == "sandbox"
        assert len(key["myPartnerKey"]["scopes"]) == 5
        for till in made["tills"]:
            input = {
                "brand": till["brand"],
                "tillKey": till["key"],
                "clerkNumber": till["clerk_number"],
                "pin": till["pin"],
            }
            signed = await api.nobody.ask(SIGN_IN, input=input)
            assert signed["signInClerk"] == {"__typename": "SignInReceipt", "role": "CLERK"}
    async with db.snapshot() as snapshot:
        host, partner = [
            await get_brand_by_slug(snapshot, made[side]) for side in ("host", "partner")
        ]
        template_id = find_id_of("CouponTemplate", made["template_id"])
        assert template_id is not None
        agreed = await line_in_force(
            snapshot, host.id, template_id, snapshot.now, reader_id=partner.id
        )
    assert agreed is not None
    assert agreed.line.issuer_id == partner.id
    assert encode_id("Agreement", agreed.agreement_id) == made["agreement_id"]
    assert [check.name for check in await audit(db) if check.broken] == []

    again = await command("sandbox", "create", "trial")
    assert again.code == Exit.REFUSED
    assert "ALREADY_EXISTS" in again.err
