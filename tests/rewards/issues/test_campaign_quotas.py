"""Quotas of one campaign of the issuer's, beside those of all its coupons."""

from collections import Counter
from dataclasses import replace

import pytest

from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.errors import IdempotencyConflict, InvalidInput, IssueQuotaReached, Refusal
from rewards.alliances.terms import Quota, QuotaWindow
from rewards.issues.lists import upload
from rewards.issues.pools import fill_pool
from rewards.issues.service import Wanted, issue_coupons
from tests.clocks import SettableClock
from tests.rewards.issues.partners import Issuers, make_issuers
from tests.rewards.issues.test_lists import file_of, finish, results, state, wanted

DAY, ALL = QuotaWindow.DAY, QuotaWindow.ALL
OVER = "ISSUE_QUOTA_REACHED"
QUOTAS = (Quota(ALL, 6), Quota(DAY, 2, "autumn"), Quota(ALL, 3, "autumn"), Quota(ALL, 9, "spring"))


async def issue(issuers: Issuers, campaign: str | None, *numbers: int) -> list[str]:
    of = (issuers.agreement_id, issuers.pair.template.id)
    asked = [Wanted(issuers.token(number)) for number in numbers]
    found = await issuers.db.in_transaction(
        issue_coupons, issuers.pair.partners, *of, asked, campaign
    )
    return [each.code if isinstance(each, Refusal) else "ISSUED" for each in found]


async def test_each_campaign_stops_at_its_own_and_all_at_theirs(
    clocked_db: Database, clock: SettableClock, keyring: Keyring
) -> None:
    issuers = await make_issuers(clocked_db, keyring, quotas=QUOTAS)
    assert await issue(issuers, "autumn", 0, 1, 2) == ["ISSUED", "ISSUED", OVER]
    assert await issue(issuers, "spring", 0, 1) == ["ISSUED", "ISSUED"]
    clock.advance(days=1)
    assert await issue(issuers, "autumn", 0, 1) == ["ISSUED", OVER], "three in all"
    assert await issue(issuers, "spring", 0, 1) == ["ISSUED", OVER], "six of both"
    assert Counter(each.campaign for each in await issuers.issues()) == {"autumn": 3, "spring": 3}
    assert await issuers.broken() == {}


@pytest.mark.parametrize("campaign", [None, "winter"])
async def test_where_quotas_name_campaigns_each_coupon_is_of_one(
    db: Database, keyring: Keyring, campaign: str | None
) -> None:
    issuers = await make_issuers(db, keyring, quotas=QUOTAS)
    with pytest.raises(InvalidInput) as refused:
        await issue(issuers, campaign, 0)
    assert refused.value.details == {
        "field": "campaign",
        "problem": "one of the agreement's: autumn, spring",
    }
    asked = replace(wanted(issuers), campaign=campaign)
    with pytest.raises(InvalidInput):
        await upload(db, issuers.pair.partners, asked, file_of(issuers, [0]))
    assert await issuers.issues() == []


async def test_a_campaign_is_noted_where_no_quota_names_one(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=(Quota(ALL, 2),))
    assert await issue(issuers, "autumn", 0) + await issue(issuers, None, 1) == ["ISSUED"] * 2
    assert [each.campaign for each in await issuers.issues()] == ["autumn", None]


async def test_a_list_is_of_one_campaign(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, quotas=QUOTAS)
    body = file_of(issuers, [0, 1, 2])
    row, _ = await upload(
        db, issuers.pair.partners, replace(wanted(issuers), campaign="autumn"), body
    )
    await finish(issuers)
    assert await results(db, row) == ["ISSUED", "ISSUED", OVER]
    assert await state(db, row) == ("DONE", 3, 2)
    other = replace(wanted(issuers), campaign="spring")
    with pytest.raises(IdempotencyConflict):
        await upload(db, issuers.pair.partners, other, body)
    assert await issuers.broken() == {}


async def test_a_pool_is_filled_for_campaigns(db: Database, keyring: Keyring) -> None:
    issuers = await make_issuers(db, keyring, members=0, pooled=True, quotas=QUOTAS)
    pool = (issuers.pair.partners, issuers.agreement_id, issuers.pair.template.id)
    await db.in_transaction(fill_pool, *pool, 2, "autumn")
    with pytest.raises(IssueQuotaReached):
        await db.in_transaction(fill_pool, *pool, 1, "autumn")
    await db.in_transaction(fill_pool, *pool, 4, "spring")
    with pytest.raises(InvalidInput):
        await db.in_transaction(fill_pool, *pool, 1)
    assert await issuers.broken() == {}
