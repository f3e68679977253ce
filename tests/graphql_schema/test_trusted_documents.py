"""A trusted document answers by its id as its text does, whoever asks."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr

import graphql_schema
from graphql_schema.documents import sha256_of, trusted_documents
from loyalty.actor import OperatorRole
from loyalty.settings import Settings
from tests.api import Caller, Reply, api_in_process
from tests.databases import MASTER_KEY, TOKEN_SECRET
from tests.graphql_schema.stage import GUIDE, Stage

FOLDER = Path(graphql_schema.__file__).parent / "trusted"
NAMES = sorted(file.stem for file in FOLDER.glob("*.graphql"))
ALICE, BOB, WANG = "13800138001", "13800138002", "13900139001"


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.graphql").read_bytes().decode()


async def variables_of(name: str, stage: Stage) -> list[dict[str, Any]]:
    """Variables that are answered alike each time they are sent: what was done is replayed."""
    code = await stage.code()
    key = f"{name}-once"
    by_name: dict[str, list[dict[str, Any]]] = {
        "member_home": [{}, {"entries": 1}, {"entries": 1_000}, {"after": "no cursor"}],
        "item": [{"code": code}, {"code": "forged"}, {}, {"code": 7}],
        "scan_code": [
            {"input": {"code": code, "idempotencyKey": key}},
            {"input": {"code": "forged", "idempotencyKey": "other"}},
            {"input": {"code": code}},
        ],
        "invite_member": [
            {"input": {"phone": "13700137000", "idempotencyKey": key}},
            {"input": {"phone": "nobody", "idempotencyKey": "other"}},
        ],
        "request_sign_in_code": [
            {"input": {"brand": stage.slug, "phone": "12"}},
            {"input": {"brand": "no-such-brand", "phone": ALICE}},
        ],
        "sign_in_by_code": [
            {"input": {"brand": stage.slug, "phone": ALICE, "code": "000000", "role": "WIZARD"}},
            {"input": {"brand": stage.slug, "phone": ALICE, "code": "guess!"}},
        ],
        "sign_in_by_wechat": [
            {"input": {"brand": stage.slug, "appId": "wx-unknown", "code": "guess"}},
            {"input": {"brand": "no-such-brand", "appId": "wx-unknown", "code": "guess"}},
        ],
        "refresh_session": [{"input": {"refreshToken": "made-up"}}, {"input": {}}],
        "sign_out": [{"input": {"refreshToken": "made-up"}}, {"input": {"refreshToken": 7}}],
    }
    return by_name[name]


def answer(reply: Reply) -> Any:
    """Status, data and errors."""
    errors = [
        {name: error.get(name) for name in ("message", "path", "extensions")}
        for error in reply.body.get("errors", [])
    ]
    return reply.status, reply.data, errors


@pytest.mark.parametrize("name", NAMES)
async def test_a_documents_id_its_text_and_an_unregistered_text_answer_alike(
    name: str, stage: Stage
) -> None:
    text = text_of(name)
    document_id = f"sha256:{sha256_of(text)}"
    await stage.publish()
    callers = {
        "anonymous": stage.api.nobody,
        "consumer": await stage.member(ALICE),
        "newcomer": await stage.member(BOB),
        "guide": await stage.guide(WANG),
        "off the roster": await stage.member("13900139002", GUIDE),
        "viewer": stage.operator(OperatorRole.VIEWER),
        "Chinese": Caller(stage.api, (await stage.member(ALICE)).token, "zh-CN"),
    }
    for variables in await variables_of(name, stage):
        for who, caller in callers.items():
            ordinary = {"query": f"{text}\n# not registered", "variables": variables}
            await stage.api.post(ordinary, caller)  # what it does is done; from here on replayed
            expected = answer(await stage.api.post(ordinary, caller))
            persisted = {"persistedQuery": {"version": 1, "sha256Hash": sha256_of(text)}}
            for body in (
                {"documentId": document_id, "variables": variables},
                {"query": text, "variables": variables},
                {"extensions": persisted, "variables": variables},
            ):
                assert answer(await stage.api.post(body, caller)) == expected, (who, variables)
            assert "INTERNAL" not in str(expected)
            if text.startswith("query"):
                assert await by_get(caller, document_id, variables) == expected, (who, variables)


async def by_get(caller: Caller, document_id: str, variables: dict[str, Any]) -> Any:
    query = urlencode({"documentId": document_id, "variables": json.dumps(variables)})
    headers = {
        "accept": "application/graphql-response+json",
        "accept-language": caller.language,
    }
    if caller.token:
        headers["authorization"] = f"Bearer {caller.token}"
    reply = await caller.api.client.get(f"/graphql?{query}", headers=headers)
    return answer(Reply(reply.status_code, reply.headers, reply.json()))


def test_every_file_is_registered_under_its_own_hash() -> None:
    assert trusted_documents() == {sha256_of(text_of(name)): text_of(name) for name in NAMES}
    assert NAMES


async def test_a_server_for_trusted_documents_alone_runs_these_and_nothing_else(
    stage: Stage, database_url: str
) -> None:
    settings = Settings(
        database_url=database_url,
        token_secret=SecretStr(TOKEN_SECRET),
        master_key=SecretStr(MASTER_KEY),
        trusted_documents_only=True,
    )
    async with api_in_process(settings) as strict:
        consumer = strict.signed_in((await stage.member(ALICE)).token or "")
        home = text_of("member_home")
        trusted = await strict.post({"documentId": f"sha256:{sha256_of(home)}"}, consumer)
        assert trusted.data == {"me": None}
        assert (await consumer.send("{ me { id } }")).codes == ["TRUSTED_DOCUMENTS_ONLY"]
        unknown = await strict.post({"documentId": f"sha256:{'0' * 64}"}, consumer)
        assert unknown.codes == ["PERSISTED_QUERY_NOT_FOUND"]
