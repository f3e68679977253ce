"""A partner sends a file over HTTP and reads what became of each row."""

import asyncio
import csv
from collections.abc import AsyncIterator, Callable
from io import StringIO
from typing import Any

import pytest_asyncio

from loyalty.db import Database
from loyalty.settings import load_settings
from rewards.matching.rules import token_of
from server.issue_list_files import BODY_BYTES_MAX, PATH
from server.sandbox import PHONES
from tests.api import Api, Caller, api_in_process, api_of
from tests.server.commands import Commands
from tests.servers import ServerFactory

SECRET = "query ($id: ID!) { matchSecret(agreementId: $id) { ... on MatchSecret { secret } } }"
MATCHED = """query ($id: ID!, $tokens: [String!]!) { matchedMembers(agreementId: $id,
  tokens: $tokens) { ... on MatchedMembers { matched } } }"""
LISTS = "{ issueLists { nodes { id name status rowCount doneCount issuedCount } } }"
WAIT_SECONDS_MAX = 60


@pytest_asyncio.fixture
async def made(command: Commands) -> Any:
    return (await command("sandbox", "create", "trial", "--json")).json


@pytest_asyncio.fixture
async def api(made: Any, db: Database) -> AsyncIterator[Api]:
    async with api_in_process(load_settings(), db) as api:
        yield api


async def send(api: Api, made: Any, body: bytes, *, key: str = "file 1", **said: str) -> Any:
    """The status and the answer; ``token`` and ``name`` as given."""
    token = said.get("token", made["partner_key"])
    wanted = {"agreement": made["agreement_id"], "template": made["template_id"]}
    reply = await api.client.post(
        PATH,
        params=wanted | {"name": said.get("name", "autumn"), "campaign": "moon"},
        content=body,
        headers={"authorization": f"Bearer {token}", "idempotency-key": key},
    )
    return reply.status_code, reply.json()


async def tokens(api: Api, made: Any) -> list[str]:
    key = api.signed_in(made["partner_key"])
    found = await key.ask(SECRET, id=made["agreement_id"])
    secret = found["matchSecret"]["secret"]
    return [token_of(secret, "phone", f"+86{phone}") for phone in PHONES]


async def until(key: Caller, is_so: Callable[[Any], bool], query: str, **variables: Any) -> Any:
    """What a query answers once that is so."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while True:
            found = await key.ask(query, **variables)
            if is_so(found):
                return found
            await asyncio.sleep(0.2)


async def test_a_file_goes_in_and_each_row_comes_back_with_its_result(
    made: Any, server_process: ServerFactory
) -> None:
    async with api_of(server_process().url) as api:
        key = api.signed_in(made["partner_key"])
        known = await tokens(api, made)
        asked = {"id": made["agreement_id"], "tokens": known}
        await until(key, lambda found: all(found["matchedMembers"]["matched"]), MATCHED, **asked)
        lines = [f"{token},=order {at}" for at, token in enumerate([*known, "A" * 43, "bad"])]
        body = "\n".join(["token,reference", *lines]).encode()
        status, answer = await send(api, made, body)
        assert (status, answer["rows"], answer["replayed"]) == (202, 5, False)
        done = await until(
            key, lambda found: found["issueLists"]["nodes"][0]["status"] == "DONE", LISTS
        )
        found = done["issueLists"]["nodes"]
        counts = {"rowCount": 5, "doneCount": 5, "issuedCount": 3}
        assert found == [{"id": answer["id"], "name": "autumn", "status": "DONE"} | counts]
        again = await send(api, made, body)
        assert again == (202, answer | {"status": "DONE", "replayed": True})
        reply = await api.client.get(
            f"{PATH}/{answer['id']}.csv",
            headers={"authorization": f"Bearer {made['partner_key']}"},
        )
        assert reply.headers["content-type"] == "text/csv; charset=utf-8"
        head, *rows = csv.reader(StringIO(reply.content.decode("utf-8-sig")))
        assert head == ["row", "reference", "result", "issue_id"]
        assert [row[2] for row in rows] == ["ISSUED"] * 3 + ["MEMBER_UNKNOWN", "INVALID_INPUT"]
        assert [row[1] for row in rows] == [f"'=order {at}" for at in range(5)]
        issues = await key.ask("{ partnerIssues { nodes { id reference status campaign } } }")
        by_id = {node["id"]: node for node in issues["partnerIssues"]["nodes"]}
        assert {node["campaign"] for node in by_id.values()} == {"moon"}
        assert sorted(by_id) == sorted(row[3] for row in rows if row[3])
        assert {node["status"] for node in by_id.values()} == {"ISSUED"}


async def test_what_is_wrong_is_said_and_nothing_is_kept(api: Api, made: Any) -> None:
    body = f"token\n{'A' * 43}\n".encode()
    assert (await send(api, made, b"nothing"))[1]["code"] == "INVALID_INPUT"
    assert (await send(api, made, body, key=""))[1]["code"] == "INVALID_INPUT"
    assert (await send(api, made, body, name=""))[1]["code"] == "INVALID_INPUT"
    foreign = made | {"agreement_id": made["template_id"]}
    status, answer = await send(api, foreign, body)
    assert (status, answer["code"]) == (404, "NOT_FOUND")
    status, answer = await send(api, made, b"x" * (BODY_BYTES_MAX + 1))
    assert (status, answer["code"]) == (413, "TOO_LARGE")
    key = api.signed_in(made["partner_key"])
    assert (await key.ask(LISTS))["issueLists"]["nodes"] == []
    assert (await send(api, made, body))[0] == 202
    status, answer = await send(api, made, body + b"\n" + body[6:])
    assert (status, answer["code"]) == (409, "IDEMPOTENCY_CONFLICT")


async def test_only_a_key_that_may_gets_in(api: Api, made: Any) -> None:
    body = f"token\n{'A' * 43}\n".encode()
    for token in ("", "lpk_nothing", "a.b.c"):
        status, answer = await send(api, made, body, token=token)
        assert (status, answer["code"]) == (401, "UNAUTHENTICATED")
    _, answer = await send(api, made, body)
    reply = await api.client.get(f"{PATH}/{answer['id']}.csv")
    assert reply.status_code == 401


async def test_a_list_of_another_brand_is_none(made: Any, command: Commands, db: Database) -> None:
    other = (await command("sandbox", "create", "other", "--json")).json
    async with api_in_process(load_settings(), db) as api:
        _, answer = await send(api, made, f"token\n{'A' * 43}\n".encode())
        reply = await api.client.get(
            f"{PATH}/{answer['id']}.csv",
            headers={"authorization": f"Bearer {other['partner_key']}"},
        )
    assert (reply.status_code, reply.json()["code"]) == (404, "NOT_FOUND")
