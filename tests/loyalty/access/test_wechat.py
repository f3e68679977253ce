"""Asking WeChat who somebody is, and whose account that makes: a fake WeChat on a socket."""

import asyncio
import gzip
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, select
from structlog.testing import capture_logs

from loyalty.access import service as access
from loyalty.access.models import WechatAccount, WechatApp
from loyalty.access.wechat import (
    WechatClient,
    WechatThrottled,
    WechatUser,
)
from loyalty.actor import system_actor
from loyalty.audit_log import AuditLogEntry
from loyalty.brands.models import Brand
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.errors import (
    AlreadyExists,
    InvalidInput,
    NotFound,
    ProviderUnavailable,
    WechatBlocked,
    WechatCodeWrong,
)
from loyalty.ids import new_id
from loyalty.members.models import Identity
from loyalty.outbound import REPLY_BYTES_MAX
from tests.brands_made import make_brand
from tests.fakes.wechat import (
    APP,
    APP_SECRET,
    BLOCKED,
    BUSY,
    SESSION_KEY,
    TOO_OFTEN,
    Answer,
    FakeWechat,
)

OTHER_APP = "wx0000000000000002"
PATIENCE_SECONDS = 20.0


@pytest.fixture
def wechat() -> Iterator[FakeWechat]:
    with FakeWechat() as wechat:
        yield wechat


async def identify(
    wechat: FakeWechat,
    code: str,
    *,
    app_id: str = APP,
    secret: str = APP_SECRET,
    seconds_max: float = PATIENCE_SECONDS,
) -> WechatUser:
    client = WechatClient(wechat.url + "/", seconds_max)
    try:
        return await client.identify(app_id, secret, code)
    finally:
        await client.close()


# --- asking ------------------------------------------------------------------------------------


async def test_a_code_says_who_somebody_is_once(wechat: FakeWechat) -> None:
    plain, joined = wechat.code_of("o-1"), wechat.code_of("o-2", unionid="u-2")
    assert await identify(wechat, plain) == WechatUser("o-1", None)
    assert await identify(wechat, joined) == WechatUser("o-2", "u-2")
    with pytest.raises(WechatCodeWrong):
        await identify(wechat, plain)
    assert [asked["appid"] for asked in wechat.asked] == [APP] * 3


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("never-made", WechatCodeWrong),
        (BLOCKED, WechatBlocked),
        (TOO_OFTEN, WechatThrottled),
        (BUSY, ProviderUnavailable),
        ("errcode:41002", ProviderUnavailable),
        ("errcode:99999999999999999999", ProviderUnavailable),
    ],
)
async def test_each_errcode_has_its_own_answer(
    wechat: FakeWechat, code: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await identify(wechat, code)


@pytest.mark.parametrize("code", ["", " ", "微信", "a\nb", "\x00", "\ud800", "x" * 257])
async def test_what_can_be_no_code_is_not_even_asked_about(wechat: FakeWechat, code: str) -> None:
    with pytest.raises(WechatCodeWrong):
        await identify(wechat, code)
    assert wechat.asked == []


@pytest.mark.parametrize(
    ("app_id", "secret", "errcode"), [(OTHER_APP, APP_SECRET, 40013), (APP, "another's", 40125)]
)
async def test_an_app_that_wechat_does_not_know_is_our_error_and_said_so(
    wechat: FakeWechat, app_id: str, secret: str, errcode: int
) -> None:
    with capture_logs() as logs, pytest.raises(ProviderUnavailable):
        await identify(wechat, wechat.code_of("o-1"), app_id=app_id, secret=secret)
    [entry] = logs
    assert (entry["log_level"], entry["errcode"], entry["app_id"]) == ("error", errcode, app_id)


BOMB = gzip.compress(b"0" * 50_000_000)
NONSENSE: dict[str, Answer] = {
    "nothing": Answer(),
    "no JSON": Answer(b"<html>session_key</html>"),
    "no UTF-8": Answer(b'{"openid": "\xff"}'),
    "a list": Answer(b"[]"),
    "a text": Answer(b'"openid"'),
    "nested": Answer(b"[" * 60_000),
    "no openid": Answer({"session_key": SESSION_KEY}),
    "an empty openid": Answer({"openid": ""}),
    "an openid that is no text": Answer({"openid": 7}),
    "an openid with NUL": Answer({"openid": "a\0b"}),
    "half a character": Answer(b'{"openid": "\\ud800"}'),
    "a long openid": Answer({"openid": "o" * 129}),
    "a unionid that is no text": Answer({"openid": "o", "unionid": {"u": 1}}),
    "an errcode that is no number": Answer({"openid": "o", "errcode": "0"}),
    "an errcode that is a truth": Answer({"openid": "o", "errcode": False}),
    "500": Answer({"openid": "o"}, status=500),
    "404": Answer({"openid": "o"}, status=404),
    "201": Answer({"openid": "o"}, status=201),
    "compressed": Answer(gzip.compress(b'{"openid": "o"}'), headers={"content-encoding": "gzip"}),
    "a bomb": Answer(BOMB, headers={"content-encoding": "gzip"}),
    "too long": Answer(b'{"openid": "o", "x": "' + b"x" * REPLY_BYTES_MAX + b'"}'),
    "huge": Answer(b" " * 20_000_000),
    "cut off": Answer({"openid": "o"}, drops_the_line=True),
}


@pytest.mark.parametrize("what", NONSENSE)
async def test_an_answer_that_is_none_is_unavailability(wechat: FakeWechat, what: str) -> None:
    with capture_logs() as logs, pytest.raises(ProviderUnavailable) as refused:
        await identify(wechat, wechat.code_answered(NONSENSE[what]))
    assert refused.value.details == {"provider": "WeChat"}
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_nobody_is_led_elsewhere(wechat: FakeWechat) -> None:
    with FakeWechat() as elsewhere:
        away = Answer(status=302, headers={"location": f"{elsewhere.url}/sns/jscode2session"})
        with pytest.raises(ProviderUnavailable):
            await identify(wechat, wechat.code_answered(away))
        assert elsewhere.asked == []


@pytest.mark.parametrize(
    "slow",
    [Answer({"openid": "o"}, delay_seconds=60), Answer({"openid": "o" * 50}, drip_seconds=0.2)],
    ids=["silent", "dripping"],
)
async def test_who_is_slow_is_not_waited_for(wechat: FakeWechat, slow: Answer) -> None:
    with pytest.raises(ProviderUnavailable):
        await identify(wechat, wechat.code_answered(slow), seconds_max=0.5)


async def test_where_nobody_listens_is_unavailability(wechat: FakeWechat) -> None:
    with FakeWechat() as gone:
        pass
    with pytest.raises(ProviderUnavailable):
        await identify(gone, "a-code")


async def test_neither_secret_nor_code_nor_session_key_is_logged(
    wechat: FakeWechat, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    codes = [wechat.code_of("an-openid"), BUSY, *map(wechat.code_answered, NONSENSE.values())]
    with capture_logs() as logs:
        for code in codes:
            with suppress(ProviderUnavailable):
                assert "an-openid" not in repr(await identify(wechat, code))
        with FakeWechat() as gone:
            pass
        with pytest.raises(ProviderUnavailable) as refused:
            await identify(gone, "a-code")
    assert refused.value.__suppress_context__  # the address is in the error beneath
    written = "\n".join([*map(str, logs), *(record.getMessage() for record in caplog.records)])
    assert len(logs) == len(codes)
    for secret in (APP_SECRET, APP_SECRET.replace(" ", "+"), SESSION_KEY, "an-openid", *codes[2:]):
        assert secret not in written


# --- apps --------------------------------------------------------------------------------------


async def test_an_app_is_added_once_found_by_its_secret_and_removed(
    db: Database, keyring: Keyring, brand: Brand
) -> None:
    actor = system_actor(brand.id)

    async def secret_of(brand_id: UUID, app_id: str) -> str:
        async with db.snapshot() as snapshot:
            return await access.find_wechat_secret(snapshot, keyring, brand_id, app_id)

    await db.in_transaction(access.add_wechat_app, actor, keyring, APP, APP_SECRET)
    with pytest.raises(AlreadyExists):
        await db.in_transaction(access.add_wechat_app, actor, keyring, APP, "another")
    assert await secret_of(brand.id, APP) == APP_SECRET
    for brand_id, app_id in ((new_id(), APP), (brand.id, OTHER_APP), (brand.id, "\x00")):
        with pytest.raises(NotFound):
            await secret_of(brand_id, app_id)
    async with db.snapshot() as snapshot:
        [kept] = await snapshot.session.exec(select(WechatApp))
    assert APP_SECRET not in repr(kept)
    await db.in_transaction(access.remove_wechat_app, actor, APP)
    for _ in range(2):
        with pytest.raises(NotFound):
            await secret_of(brand.id, APP)
        with pytest.raises(NotFound):
            await db.in_transaction(access.remove_wechat_app, actor, APP)
    async with db.snapshot() as snapshot:
        log = await snapshot.session.exec(
            select(AuditLogEntry).order_by(col(AuditLogEntry.created_at))
        )
        entries = [(entry.action, entry.details) for entry in log]
    assert entries == [("wechat.add", {"app_id": APP}), ("wechat.remove", {"app_id": APP})]


@pytest.mark.parametrize(
    ("app_id", "secret"), [("", APP_SECRET), ("wx 1", APP_SECRET), (APP, ""), (APP, "\n")]
)
async def test_what_is_no_app_is_not_added(
    db: Database, keyring: Keyring, brand: Brand, app_id: str, secret: str
) -> None:
    with pytest.raises(InvalidInput):
        await db.in_transaction(
            access.add_wechat_app, system_actor(brand.id), keyring, app_id, secret
        )


# --- whose account -----------------------------------------------------------------------------


async def settle(
    db: Database, brand: Brand, openid: str, unionid: str | None = None, app_id: str = APP
) -> Identity:
    user = WechatUser(openid, unionid)
    return await db.in_transaction(access.settle_wechat_sign_in, brand.id, app_id, user)


async def all_of(db: Database, kind: type[Any]) -> list[Any]:
    async with db.snapshot() as snapshot:
        return list(await snapshot.session.exec(select(kind)))


async def test_an_openid_is_one_person_and_another_is_another(db: Database, brand: Brand) -> None:
    first = await settle(db, brand, "o-1")
    assert first.wechat
    assert (await settle(db, brand, "o-1")).id == first.id
    assert (await settle(db, brand, "o-2")).id != first.id
    assert (await settle(db, brand, "o-1", app_id=OTHER_APP)).id != first.id


async def test_a_unionid_joins_the_apps_of_one_brand_alone(db: Database, brand: Brand) -> None:
    first = await settle(db, brand, "o-1", "u-1")
    assert (await settle(db, brand, "o-9", "u-1", OTHER_APP)).id == first.id
    assert (await settle(db, brand, "o-8", "u-2", OTHER_APP)).id != first.id
    other = await db.in_transaction(make_brand, "other")
    assert (await settle(db, other, "o-1", "u-1")).id != first.id


async def test_a_unionid_that_comes_later_is_kept(db: Database, brand: Brand) -> None:
    first = await settle(db, brand, "o-1")
    assert (await settle(db, brand, "o-1", "u-1")).id == first.id
    assert (await settle(db, brand, "o-1")).id == first.id
    assert (await settle(db, brand, "o-9", "u-1", OTHER_APP)).id == first.id


async def test_first_sign_ins_at_once_make_one_identity(db: Database, brand: Brand) -> None:
    people = await asyncio.gather(*(settle(db, brand, "o-1") for _ in range(12)))
    assert len({identity.id for identity in people}) == 1
    assert len(await all_of(db, Identity)) == len(await all_of(db, WechatAccount)) == 1


async def test_first_sign_ins_by_two_apps_at_once_make_one_identity(
    db: Database, brand: Brand
) -> None:
    people = await asyncio.gather(
        *(
            settle(db, brand, f"{app_id}-1", "u-1", app_id)
            for app_id in (APP, OTHER_APP)
            for _ in range(6)
        )
    )
    assert len({identity.id for identity in people}) == 1
    assert len(await all_of(db, Identity)) == 1
    assert len(await all_of(db, WechatAccount)) == 2
