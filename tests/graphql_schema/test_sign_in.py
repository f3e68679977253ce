"""Signing in, staying signed in and signing out, through the public API."""

import asyncio
from typing import Any
from uuid import uuid4

import pyotp
import pytest
import pytest_asyncio
from sqlmodel import col, select

from loyalty.access.models import RefreshToken, SignInSession
from loyalty.access.service import NewOperator, add_wechat_app, create_operator, prepare_password
from loyalty.actor import system_actor
from loyalty.clock import utc_now
from loyalty.db import Database
from tests.api import Api, Caller, api_of
from tests.fakes.wechat import APP, APP_SECRET, SESSION_KEY, TOO_OFTEN, Answer, FakeWechat
from tests.graphql_schema.stage import CONSUMER, GUIDE, Stage, all_rows
from tests.servers import ServerFactory

EMAIL, PASSWORD, PIN = "ada@example.com", "correct horse battery", "2468"


@pytest_asyncio.fixture(loop_scope="module")
async def ada(stage: Stage) -> NewOperator:
    """An administrator who has yet to sign in."""
    return await stage.database.in_transaction(
        create_operator,
        system_actor(stage.brand_id),
        stage.keyring,
        email=EMAIL,
        name="Ada",
        role="ADMIN",
        password=await prepare_password(PASSWORD),
    )


async def sign_in(stage: Stage, totp: str, password: str = PASSWORD) -> Any:
    return await stage.api.nobody.do(
        "signInOperator", brand=stage.slug, email=EMAIL, password=password, totp=totp
    )


async def refresh(api: Api, token: str) -> Any:
    return await api.nobody.do("refreshSession", refreshToken=token)


def is_alive(receipt: Any) -> bool:
    """Whether somebody is signed in by this answer; the one other answer is REFRESH_TOKEN_WRONG."""
    if receipt["__typename"] == "Refused":
        assert receipt["code"] == "REFRESH_TOKEN_WRONG"
        return False
    assert receipt["__typename"] == "SignInReceipt"
    return True


# --- operators ---------------------------------------------------------------------------------


async def test_an_operator_signs_in_with_password_and_code_and_stays_signed_in(
    stage: Stage, ada: NewOperator
) -> None:
    totp = pyotp.TOTP(ada.totp_secret).at(utc_now())
    signed = await sign_in(stage, totp)
    assert signed["role"] == "ADMIN"
    assert "members" in await stage.api.signed_in(signed["token"]).ask(
        "{ members { nodes { id } } }"
    )
    refreshed = await refresh(stage.api, signed["refreshToken"])
    assert refreshed["role"] == "ADMIN"
    assert refreshed["refreshExpiresAt"] == signed["refreshExpiresAt"]
    assert "members" in await stage.api.signed_in(refreshed["token"]).ask(
        "{ members { nodes { id } } }"
    )


async def test_a_wrong_password_a_wrong_code_and_a_used_code_are_answered_alike(
    stage: Stage, ada: NewOperator
) -> None:
    totp = pyotp.TOTP(ada.totp_secret).at(utc_now())
    answers = [await sign_in(stage, totp, "another password"), await sign_in(stage, "no code")]
    assert (await sign_in(stage, totp))["__typename"] == "SignInReceipt"
    answers.append(await sign_in(stage, totp))
    assert answers == [answers[0]] * 3
    assert answers[0]["code"] == "CREDENTIALS_WRONG"


# --- sessions ----------------------------------------------------------------------------------


async def a_session(stage: Stage, wechat: FakeWechat) -> Any:
    """Somebody who signed in a moment ago."""
    actor = system_actor(stage.brand_id)
    await stage.database.in_transaction(add_wechat_app, actor, stage.keyring, APP, APP_SECRET)
    return await by_wechat(stage, wechat.code_of("o-1"))


async def by_wechat(stage: Stage, code: str, **more: Any) -> Any:
    words = {"brand": stage.slug, "appId": APP, "code": code} | more
    return await stage.api.nobody.do("signInByWechat", **words)


async def test_a_refresh_token_that_comes_again_ends_the_session_although_it_is_refused(
    stage: Stage, wechat: FakeWechat
) -> None:
    signed = await a_session(stage, wechat)
    refreshed = await refresh(stage.api, signed["refreshToken"])
    assert is_alive(refreshed)
    assert not is_alive(await refresh(stage.api, signed["refreshToken"]))
    assert not is_alive(await refresh(stage.api, refreshed["refreshToken"]))


async def test_signing_out_is_answered_alike_whatever_the_token(
    stage: Stage, wechat: FakeWechat, db: Database
) -> None:
    signed = await a_session(stage, wechat)
    nobody = stage.api.nobody
    before = await all_rows(db)
    unknown = await nobody.do("signOut", refreshToken="no token at all")
    assert await all_rows(db) == before
    for _ in range(2):
        assert await nobody.do("signOut", refreshToken=signed["refreshToken"]) == unknown
    assert unknown == {"__typename": "SignOutReceipt", "signedOut": True}
    assert not is_alive(await refresh(stage.api, signed["refreshToken"]))


CREATE = """mutation ($place: CreatePlaceInput!) { createPlace(input: $place)
  { ... on CreatePlaceReceipt { place { id } } } }"""
STAFF = """mutation ($till: CreateTillInput!, $clerk: CreateClerkInput!) {
  createTill(input: $till) { ... on CreateTillReceipt { key } }
  createClerk(input: $clerk) { ... on ClerkPinReceipt { clerk { id } } } }"""
AT_TILL = """mutation ($input: SignInClerkInput!) { signInClerk(input: $input)
  { ... on SignInReceipt { token role expiresAt refreshToken refreshExpiresAt } } }"""
STATUS = """mutation ($input: SetClerkStatusInput!) { setClerkStatus(input: $input)
  { __typename } }"""


def keyed(**input: Any) -> dict[str, Any]:
    return {"idempotencyKey": str(uuid4()), **input}


async def test_a_clerk_is_refreshed_at_its_till_until_it_leaves(stage: Stage) -> None:
    admin = stage.admin
    place = keyed(code="P1", name="Shop", address="Road 1", payoutThresholdFen="10000")
    place_id = (await admin.ask(CREATE, place=place))["createPlace"]["place"]["id"]
    made = await admin.ask(
        STAFF,
        till=keyed(placeId=place_id, name="Till 1"),
        clerk=keyed(placeId=place_id, number="7", name="Mei", pin=PIN),
    )
    words = {"brand": stage.slug, "tillKey": made["createTill"]["key"]}
    signed = (await stage.api.nobody.ask(AT_TILL, input=words | {"clerkNumber": "7", "pin": PIN}))[
        "signInClerk"
    ]
    refreshed = await refresh(stage.api, signed["refreshToken"])
    assert (refreshed["role"], refreshed["refreshExpiresAt"]) == (
        "CLERK",
        signed["refreshExpiresAt"],
    )
    desk = "{ till { __typename ... on Desk { till { name } clerk { name } } } }"
    at_till = (await stage.api.signed_in(refreshed["token"]).ask(desk))["till"]
    assert at_till == {"__typename": "Desk", "till": {"name": "Till 1"}, "clerk": {"name": "Mei"}}
    clerk_id = made["createClerk"]["clerk"]["id"]
    await admin.ask(STATUS, input=keyed(clerkId=clerk_id, active=False, reason="has left"))
    assert not is_alive(await refresh(stage.api, refreshed["refreshToken"]))


async def test_of_two_servers_that_get_one_refresh_token_at_once_one_answers_it(
    stage: Stage, wechat: FakeWechat, db: Database, server_process: ServerFactory
) -> None:
    signed = await a_session(stage, wechat)
    other = server_process(environment={"LOYALTY_WECHAT_API_URL": wechat.url})
    async with api_of(other.url) as elsewhere:
        token = signed["refreshToken"]
        answers = await asyncio.gather(
            *(refresh(api, token) for api in (stage.api, elsewhere) for _ in range(3))
        )
    assert sum(map(is_alive, answers)) == 1
    async with db.snapshot() as snapshot:
        [session] = await snapshot.session.exec(
            select(SignInSession).where(col(SignInSession.brand_id) == stage.brand_id)
        )
        tokens = await snapshot.session.exec(
            select(RefreshToken).where(col(RefreshToken.session_id) == session.id)
        )
        assert len(tokens.all()) == 2
    assert session.revoked_reason == "REUSED"


# --- WeChat ------------------------------------------------------------------------------------


async def test_somebody_signs_in_by_wechat_and_acts_in_the_role_asked_for(
    stage: Stage, wechat: FakeWechat
) -> None:
    await stage.publish()
    await a_session(stage, wechat)
    me = []
    for _ in range(2):
        signed = await by_wechat(stage, wechat.code_of("o-2"))
        assert signed["role"] == CONSUMER
        caller = stage.api.signed_in(signed["token"])
        await caller.done("scanCode", code=await stage.code())
        me.append(await caller.me())
    assert me[0]["id"] == me[1]["id"]
    assert me[0]["phone"] is None
    guide = await by_wechat(stage, wechat.code_of("o-2"), role=GUIDE)
    assert guide["role"] == GUIDE
    asked = await Caller(stage.api, guide["token"]).do("inviteMember", phone="13800138001")
    assert asked["code"] == "NOT_ON_ROSTER"
    assert SESSION_KEY not in str([signed, guide])


async def test_first_sign_ins_by_wechat_at_once_are_one_person(
    stage: Stage, wechat: FakeWechat, db: Database
) -> None:
    await a_session(stage, wechat)
    codes = [wechat.code_of("o-new", unionid="u-new") for _ in range(8)]
    before = len((await all_rows(db))["identities"])
    signed = await asyncio.gather(*(by_wechat(stage, code) for code in codes))
    assert all(receipt["__typename"] == "SignInReceipt" for receipt in signed)
    assert len((await all_rows(db))["identities"]) == before + 1


@pytest.mark.parametrize("words", [{"brand": "nobody"}, {"appId": "wx-unknown"}, {"appId": "微信"}])
async def test_an_unknown_brand_or_app_is_not_found_and_nobody_is_asked(
    stage: Stage, wechat: FakeWechat, words: dict[str, str]
) -> None:
    await a_session(stage, wechat)
    asked = len(wechat.asked)
    assert (await by_wechat(stage, wechat.code_of("o-1"), **words))["code"] == "NOT_FOUND"
    assert len(wechat.asked) == asked


async def test_another_brands_app_is_not_found(stage: Stage, wechat: FakeWechat) -> None:
    assert (await by_wechat(stage, wechat.code_of("o-1")))["code"] == "NOT_FOUND"


async def test_whom_wechat_throttles_is_throttled(stage: Stage, wechat: FakeWechat) -> None:
    await a_session(stage, wechat)
    words = {"brand": stage.slug, "appId": APP, "code": TOO_OFTEN}
    reply = await stage.api.nobody.send(
        "mutation ($input: SignInByWechatInput!) { signInByWechat(input: $input) { __typename } }",
        {"input": words},
    )
    [error] = reply.body["errors"]
    assert error["extensions"] == {"code": "THROTTLED", "retryAfterSeconds": 60}


async def test_a_wechat_that_answers_nonsense_writes_nothing(
    stage: Stage, wechat: FakeWechat, db: Database
) -> None:
    await a_session(stage, wechat)
    before = await all_rows(db)
    code = wechat.code_answered(Answer(b"<html>", status=502))
    refused = await by_wechat(stage, code)
    assert (refused["code"], refused["details"]) == (
        "PROVIDER_UNAVAILABLE",
        {"provider": "WeChat"},
    )
    assert await all_rows(db) == before
