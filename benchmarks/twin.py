"""The twin: the same scan over HTTP without the engine's batcher and without its short path.

Starlette, Strawberry's ``schema.execute`` and an SQLAlchemy session, each once a request. Start
it with ``uvicorn benchmarks.twin:app`` and the engine's own environment variables.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import strawberry
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from strawberry.types import Info

from benchmarks.twin_configuration import Configuration, load_configuration
from benchmarks.twin_scan import Request, Scan
from loyalty.access.tokens import TokenIssuer
from loyalty.clock import utc_now
from loyalty.crypto import Keyring
from loyalty.settings import load_settings

TRIES_MAX = 5
POOL_SIZE = 16


@strawberry.type
class Reward:
    asset: str
    amount: int
    locked: bool


@strawberry.type
class Balance:
    asset: str
    balance: int


@strawberry.type
class ScanCodeReceipt:
    """What the bench asks of the engine, field by field."""

    id: strawberry.ID
    occurred_at: str
    verdict: str
    unpaid_reason: str | None
    product: str
    is_new_member: bool
    tier: str | None
    rewards: list[Reward]
    balances: list[Balance]


@strawberry.input
class Position:
    latitude: float
    longitude: float


@strawberry.input
class ScanCodeInput:
    code: str
    idempotency_key: strawberry.ID
    device_id: str | None = None
    position: Position | None = None


@strawberry.type
class Query:
    ping: str = "pong"


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def scan_code(
        self, info: Info[dict[str, Any], None], input: ScanCodeInput
    ) -> ScanCodeReceipt:
        engine: AsyncEngine = info.context["engine"]
        position = input.position
        request = Request(
            identity_id=info.context["identity_id"],
            code=input.code,
            key=str(input.idempotency_key),
            device_id=input.device_id,
            latitude=position.latitude if position else None,
            longitude=position.longitude if position else None,
        )
        reply = await _in_session(engine, info.context["configuration"], request)
        return ScanCodeReceipt(
            id=strawberry.ID(reply["id"]),
            occurred_at=reply["occurredAt"],
            verdict=reply["verdict"],
            unpaid_reason=None,
            product=reply["product"],
            is_new_member=reply["isNewMember"],
            tier=reply["tier"],
            rewards=[Reward(**reward) for reward in reply["rewards"]],
            balances=[Balance(**balance) for balance in reply["balances"]],
        )


async def _in_session(
    engine: AsyncEngine, configuration: Configuration, request: Request
) -> dict[str, Any]:
    for attempt in range(1, TRIES_MAX + 1):
        try:
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                return await Scan(session, configuration, request, utc_now()).run()
        except DBAPIError:  # a deadlock, or a row that another request made first
            if attempt == TRIES_MAX:
                raise
            await asyncio.sleep(random.uniform(0.001, 0.01))
    raise AssertionError("unreachable")


schema = strawberry.Schema(Query, Mutation)


async def graphql(http: HttpRequest) -> Response:
    """One operation, parsed, validated and executed anew each time."""
    state = http.app.state
    token = http.headers.get("authorization", "").removeprefix("Bearer ")
    actor = state.tokens.verify(token, utc_now())
    if actor is None:
        return JSONResponse({"errors": [{"message": "unauthenticated"}]}, status_code=401)
    body = await http.json()
    result = await schema.execute(
        body["query"],
        variable_values=body.get("variables"),
        context_value={
            "engine": state.engine,
            "configuration": state.configuration,
            "identity_id": actor.id,
        },
    )
    if result.errors:
        return JSONResponse({"errors": [str(error) for error in result.errors]}, status_code=500)
    return JSONResponse({"data": result.data})


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    settings = load_settings()
    url = make_url(settings.database_url).set(drivername="postgresql+asyncpg")
    engine = create_async_engine(url, pool_size=POOL_SIZE, max_overflow=0)
    keyring = Keyring(settings.secret_bytes("master_key"))
    app.state.engine = engine
    app.state.tokens = TokenIssuer(
        settings.secret_bytes("token_secret"), settings.token_ttl_seconds
    )
    app.state.configuration = await load_configuration(engine, keyring)
    yield
    await engine.dispose()


async def healthz(http: HttpRequest) -> Response:
    return JSONResponse({"status": "ok"})


app = Starlette(
    routes=[Route("/graphql", graphql, methods=["POST"]), Route("/healthz", healthz)],
    lifespan=_lifespan,
)
