"""What the host prepares for signing in, and that no secret of it ends up where others read."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyotp
import pytest
from sqlmodel import col, select
from typer.testing import CliRunner, Result

from loyalty.access.service import add_wechat_app, create_operator, prepare_password
from loyalty.actor import system_actor
from loyalty.audit_log import AuditLogEntry
from loyalty.brands.models import Brand
from loyalty.clock import utc_now
from loyalty.crypto import Keyring
from loyalty.db import Database
from server.cli import app
from tests.api import Caller, UnexpectedErrors, api_of
from tests.fakes.wechat import APP, APP_SECRET, BUSY, SESSION_KEY, Answer, FakeWechat
from tests.servers import ServerFactory

ADMIN = "ada@example.com"
SECRET_VARIABLE = "LOYALTY_WECHAT_SECRET"

Command = Callable[..., Result]


@pytest.fixture
def command(command_env: dict[str, str]) -> Command:
    """The ``loyalty`` command in this process: its arguments, and what is typed or set."""

    def run(*arguments: str, typed: str = "", **variables: str) -> Result:
        return CliRunner().invoke(app, arguments, input=typed, env=command_env | variables)

    return run


def made_by(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_operator_gets_an_authenticators_secret_and_another_when_it_is_lost(
    command: Command,
) -> None:
    brand = made_by(
        command("brand", "create", "demo", "--name", "A & B", "--admin-email", ADMIN, "--json")
    )
    bob = made_by(command("operator", "create", "bob@example.com", "--brand", "demo", "--json"))
    reset = made_by(command("operator", "totp", " ADA@example.com", "--brand", "demo", "--json"))
    for made, prefix, email in (
        (brand, "admin_totp", ADMIN),
        (bob, "totp", "bob@example.com"),
        (reset, "totp", ADMIN),
    ):
        totp = pyotp.parse_uri(made[f"{prefix}_uri"])
        assert isinstance(totp, pyotp.TOTP)
        assert (totp.name, totp.issuer) == (email, "A & B")
        assert totp.secret == made[f"{prefix}_secret"]
    assert len({brand["admin_totp_secret"], bob["totp_secret"], reset["totp_secret"]}) == 3
    said = command("operator", "totp", ADMIN, "--brand", "demo")
    assert "otpauth://totp/" in said.stdout
    assert command("operator", "totp", "nobody@example.com", "--brand", "demo").exit_code == 5


def test_apps_are_added_listed_and_removed_and_their_secret_is_never_said(
    command: Command, database_url: str
) -> None:
    command("brand", "create", "demo")
    add = ("wechat", "add", APP, "--brand", "demo")
    assert command(*add, typed="\n").exit_code == 2
    said = [command(*add, typed=f"{APP_SECRET}\r\n")]
    assert said[0].exit_code == 0
    said.append(command(*add, **{SECRET_VARIABLE: APP_SECRET}))
    assert (said[1].exit_code, "ALREADY_EXISTS" in said[1].output) == (5, True)
    said.append(command("wechat", "list", "--brand", "demo", "--json"))
    assert [row["app_id"] for row in json.loads(said[2].stdout)["apps"]] == [APP]
    said.append(command("wechat", "remove", APP, "--brand", "demo"))
    assert said[3].exit_code == 0
    assert command("wechat", "remove", APP, "--brand", "demo").exit_code == 5
    assert json.loads(command("wechat", "list", "--brand", "demo", "--json").stdout)["apps"] == []
    assert all(APP_SECRET not in result.output for result in said)
    assert asyncio.run(actions(database_url))[-2:] == ["wechat.add", "wechat.remove"]


async def actions(database_url: str) -> list[str]:
    """What the audit log says was done."""
    database = Database(database_url)
    async with database.snapshot() as snapshot:
        entries = await snapshot.session.exec(select(AuditLogEntry).order_by(col(AuditLogEntry.id)))
        done = [entry.action for entry in entries]
    await database.close()
    return done


@pytest.mark.only_database("sqlite", reason="reads the database's own files")
async def test_no_secret_of_signing_in_is_written_to_the_log_or_in_clear_to_the_database(
    db: Database, keyring: Keyring, brand: Brand, server_process: ServerFactory, tmp_path: Path
) -> None:
    actor, password = system_actor(brand.id), await prepare_password()
    ada = await db.in_transaction(
        create_operator,
        actor,
        keyring,
        email=ADMIN,
        name="Ada",
        role="ADMIN",
        password=password,
    )
    await db.in_transaction(add_wechat_app, actor, keyring, APP, APP_SECRET)
    with FakeWechat() as wechat:
        loud = {"LOYALTY_LOG_LEVEL": "DEBUG", "LOYALTY_LOG_FORMAT": "json"}
        server = server_process(environment={"LOYALTY_WECHAT_API_URL": wechat.url} | loud)
        totp = pyotp.TOTP(ada.totp_secret).at(utc_now())
        words = {"brand": brand.slug, "email": ADMIN, "password": password.clear, "totp": totp}
        codes = [wechat.code_of("an-openid", "a-unionid"), BUSY]
        codes.append(wechat.code_answered(Answer({"session_key": SESSION_KEY}, status=500)))
        async with api_of(server.url) as api:
            signed = [await api.nobody.done("signInOperator", **words)]
            signed += await by_wechat(api.nobody, brand, codes)
            refreshed = [
                await api.nobody.done("refreshSession", refreshToken=receipt["refreshToken"])
                for receipt in signed
            ]
        server.terminate()
    assert len(refreshed) == 2
    secrets = [APP_SECRET, SESSION_KEY, password.clear, ada.totp_secret, codes[0], codes[2]]
    secrets += [
        receipt[name] for receipt in signed + refreshed for name in ("token", "refreshToken")
    ]
    logged = server.log_text().encode()
    assert logged.count(b"WeChat sign-in failed") == 2
    files = await asyncio.to_thread(lambda: list(tmp_path.glob("loyalty.db*")))
    kept = b"".join(file.read_bytes() for file in files)
    assert b"an-openid" in kept
    assert b"an-openid" not in logged
    for secret in secrets:
        assert secret.encode() not in logged + kept


async def by_wechat(nobody: Caller, brand: Brand, codes: list[str]) -> list[Any]:
    """The receipts of those whom WeChat lets in."""
    signed = []
    for code in codes:
        with suppress(UnexpectedErrors):
            words = {"brand": brand.slug, "appId": APP, "code": code}
            signed.append(await nobody.done("signInByWechat", **words))
    return signed
