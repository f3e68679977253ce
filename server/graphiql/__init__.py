"""The query page that browsers get at ``GET /graphql``, where it is enabled.

GraphiQL when its assets were installed (``python -m server.graphiql.install``), else a plain page
of our own. Nothing comes from another host, and no script runs that is not ours.
"""

import base64
import hashlib
import re
from importlib.resources import files
from pathlib import Path

from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from server.graphql_http import Page

ASSETS_FOLDER = Path(__file__).resolve().parent.parent / "static" / "graphiql"
ASSETS = {
    "react.production.min.js": "react/umd/react.production.min.js",
    "react-dom.production.min.js": "react-dom/umd/react-dom.production.min.js",
    "graphiql.min.js": "graphiql/graphiql.min.js",
    "graphiql.min.css": "graphiql/graphiql.min.css",
}
"""The files of the page, and where npm puts each under node_modules."""

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def is_installed(folder: Path = ASSETS_FOLDER) -> bool:
    return all((folder / name).is_file() for name in ASSETS)


def query_page(folder: Path = ASSETS_FOLDER) -> Page:
    """GraphiQL if it is installed, else the plain page."""
    name = "graphiql.html" if is_installed(folder) else "plain.html"
    html = (files("server.graphiql") / name).read_text(encoding="utf-8")
    return Page(html.encode(), _policy(html))


def asset_routes(folder: Path = ASSETS_FOLDER) -> list[Mount]:
    """Routes for the files the page loads; none if they are not installed."""
    if not is_installed(folder):
        return []
    return [Mount("/static/graphiql", StaticFiles(directory=folder))]


def _policy(html: str) -> str:
    """A Content-Security-Policy that names the page's own inline scripts by their hash."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE.findall(html)
    )
    return (
        "default-src 'none'; connect-src 'self'; img-src 'self' data:; font-src 'self' data:; "
        f"script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
