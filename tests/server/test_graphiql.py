"""The query page: ours or GraphiQL's, with nothing from elsewhere."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from starlette.applications import Starlette

from server.graphiql import ASSETS, asset_routes, is_installed, query_page
from server.graphql_http import Page
from tests.server.asgi_client import call


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    for name in ASSETS:
        (tmp_path / name).write_text("/* asset */")
    return tmp_path


def test_plain_page_stands_in_until_graphiql_is_installed(tmp_path: Path) -> None:
    assert not is_installed(tmp_path)
    assert b"<form" in query_page(tmp_path).html
    assert asset_routes(tmp_path) == []


def test_graphiql_is_used_once_installed(installed: Path) -> None:
    assert b"GraphiQL.createFetcher" in query_page(installed).html
    (installed / "graphiql.min.js").unlink()
    assert b"GraphiQL.createFetcher" not in query_page(installed).html


async def test_assets_are_served_and_nothing_else(installed: Path) -> None:
    app = Starlette(routes=asset_routes(installed))

    async def status(path: str) -> int:
        async def at_path(scope, receive, send):  # type: ignore[no-untyped-def]
            await app({**scope, "path": path, "root_path": ""}, receive, send)

        answer = await call(at_path, "GET")
        assert answer is not None
        return answer.status

    for name in ASSETS:
        assert await status(f"/static/graphiql/{name}") == 200
    for path in ("/static/graphiql/", "/static/graphiql/../install.py", "/static/graphiql/x.js"):
        assert await status(path) == 404


def pages(tmp_path: Path) -> list[Page]:
    plain = query_page(tmp_path)
    for name in ASSETS:
        (tmp_path / name).write_text("")
    return [plain, query_page(tmp_path)]


def test_pages_load_nothing_from_other_hosts(tmp_path: Path) -> None:
    for page in pages(tmp_path):
        assert not re.search(rb"(?:https?:)?//[a-z]", page.html)
        for address in re.findall(rb'(?:src|href)="([^"]*)"', page.html):
            assert address.startswith((b"/static/graphiql/", b"data:,"))


def test_policy_allows_our_inline_scripts_and_no_others(tmp_path: Path) -> None:
    for page in pages(tmp_path):
        (script,) = re.findall(rb"<script>(.*?)</script>", page.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
        (sources,) = re.findall(r"script-src ([^;]*);", page.policy)
        assert sources.split() == ["'self'", f"'sha256-{digest}'"]
        assert "frame-ancestors 'none'" in page.policy
        assert not re.search(rb"\son[a-z]+=", page.html)


def test_loaded_files_are_those_installed(tmp_path: Path) -> None:
    html = pages(tmp_path)[1].html.decode()
    assert set(re.findall(r"/static/graphiql/([^\"]+)", html)) == set(ASSETS)
