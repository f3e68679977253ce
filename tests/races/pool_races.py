"""Races of partners over what is in a host's pool; as ``scan_races.py``."""

from graphql_schema.pagination import encode_id
from loyalty.actor import system_actor
from rewards.issues.pools import fill_pool
from rewards.issues.queries import list_pools
from tests.races.alliance_races import call
from tests.races.arena import Arena, Broken
from tests.races.issue_races import told
from tests.races.wire import release_at_once
from tests.rewards.issues.partners import make_issuers

DRAIN = """mutation Race($input: DrainCouponPoolInput!) { drainCouponPool(input: $input) {
  __typename ... on Refused { code } } }"""
LEFT = 10


async def a_pool_is_drained_to_its_last(arena: Arena, size: int) -> Broken:
    """Ten coupons in a pool, and a crowd that takes out one each: ten are taken out, and nothing
    is left in it or reserved for it."""
    broken = Broken()
    stage = arena.stage("pool")
    issuers = await make_issuers(arena.db, stage.keyring, 0, pooled=True, quotas=())
    pair = issuers.pair
    stage.slug = pair.partner.slug
    issuer = system_actor(pair.partner.id)
    ids = (issuers.agreement_id, pair.template.id)
    await arena.db.in_transaction(fill_pool, issuer, *ids, LEFT)
    agreement_id, template_id = encode_id("Agreement", ids[0]), encode_id("CouponTemplate", ids[1])
    drains = [
        call(pair.partner.id, DRAIN, agreementId=agreement_id, templateId=template_id, count=1)
        for _ in range(size)
    ]
    ends = told(await release_at_once(arena.ports, drains), "drainCouponPool")
    wanted = {"DrainCouponPoolReceipt": LEFT, "OUT_OF_STOCK": size - LEFT}
    broken.unless(ends == wanted, f"{LEFT} are taken out, not {dict(ends)}")
    async with arena.db.snapshot() as snapshot:
        (pool,) = await list_pools(snapshot, pair.partner.id)
    broken.unless(pool.left_count == 0, f"nothing is left, not {pool.left_count}")
    funds = await issuers.funds()
    broken.unless(funds == (0, 0), f"nothing is owed or reserved, not {funds}")
    return broken
