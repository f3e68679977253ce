"""The composition root: one process's services, wired once, behind Starlette."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from graphql_schema.context import Services
from graphql_schema.documents import DocumentStore, trusted_documents
from graphql_schema.schema import make_schema
from loyalty.access.tokens import TokenIssuer
from loyalty.access.wechat import WechatClient
from loyalty.actor import Actor
from loyalty.clock import utc_now
from loyalty.crypto import Keyring
from loyalty.db import Database, is_unavailable
from loyalty.notifications.providers import ConsoleProvider
from loyalty.partner_keys.service import KeyHolder, read_holder
from loyalty.settings import Settings
from rewards.scans.batcher import ScanBatcher
from rewards.scans.intake import ScanIntake
from server.callers import Callers
from server.graphiql import asset_routes, query_page
from server.graphql_http import GraphQLEndpoint
from server.issue_list_files import IssueListFiles
from server.key_usage import KeyUsageBook
from server.payout_callbacks import payout_callback_routes
from server.providers import Providers
from server.statement_downloads import StatementDownloads
from server.throttle import Guesses, Throttle
from workers.embedded import EmbeddedWorker
from workers.periodic import PeriodicRunner
from workers.waking import Waker
from workers.wiring import make_jobs, make_relay, make_webhooks

log = structlog.get_logger("server")

STATEMENT_SECONDS_MAX = 30.0


class Runtime:
    """Everything one server process runs, on a ``database`` of its own if none is given (one on
    another clock, say); either is closed at the end."""

    def __init__(self, settings: Settings, database: Database | None = None) -> None:
        self.settings = settings
        self.database = database or Database(
            settings.database_url,
            pool_size=settings.database_pool_size,
            statement_seconds_max=STATEMENT_SECONDS_MAX,
        )
        self.keyring = Keyring(settings.secret_bytes("master_key"))
        self.tokens = TokenIssuer(settings.secret_bytes("token_secret"), settings.token_ttl_seconds)
        self.batcher = ScanBatcher(
            self.database,
            batch_size_max=settings.scan_batch_size_max,
            queue_size_max=settings.scan_queue_size_max,
            writers=settings.scan_writers,
            keyring=self.keyring,
        )
        self.key_usage = KeyUsageBook(self.database)
        self.services = Services(
            database=self.database,
            keyring=self.keyring,
            settings=settings,
            scans=ScanIntake(self.database, self.keyring, self.batcher),
            tokens=self.tokens,
            code_sender=ConsoleProvider(),
            guesses=Guesses(),
            wechat=WechatClient(settings.wechat_api_url, settings.wechat_timeout_seconds),
            key_usage=self.key_usage,
        )
        self.providers = Providers(settings)
        self.throttle = Throttle() if settings.throttle else None
        self.worker = self._make_waker()
        # As all that workers do: ours to do where there are none.
        self.webhooks = (
            make_webhooks(self.database, self.keyring, settings)
            if settings.redis_url is None
            else None
        )

    def verify(self, token: str) -> Actor | None:
        """Whom a bearer token names; None if it is no good."""
        return self.tokens.verify(token, utc_now())

    async def holder_of(self, key: str, address: str) -> KeyHolder | None:
        """Whom a partner's key names; None if it is no good, or not from this address."""
        return await read_holder(self.database, key, address, utc_now())

    def file_routes(self) -> list[Route]:
        """Files that are sent and read: statements, and lists of partners."""
        callers = Callers(self.verify, self.holder_of, self.throttle)
        downloads = StatementDownloads(self.database, callers)
        return [
            *downloads.routes(),
            *IssueListFiles(self.database, callers, self.key_usage).routes(),
        ]

    def _make_waker(self) -> EmbeddedWorker | Waker:
        """With Redis facts are for ``loyalty worker``, called by it; without, we do the work."""
        settings = self.settings
        if settings.redis_url is not None:
            waker = Waker(settings.redis_url)
            self.database.on_facts = waker.wake
            return waker
        wake = asyncio.Event()
        self.database.on_facts = wake.set
        return EmbeddedWorker(
            make_relay(
                self.database,
                self.providers.notifier,
                self.providers.paymaster,
                keyring=self.keyring,
                lease_seconds=settings.lease_seconds,
            ),
            settings.outbox_poll_seconds,
            wake,
            periodic=PeriodicRunner(
                self.database, make_jobs(self.keyring), lease_seconds=settings.lease_seconds
            ),
        )

    async def start(self) -> None:
        self.batcher.start()
        self.key_usage.start()
        self.worker.start()
        if self.webhooks is not None:
            self.webhooks.start()

    async def stop(self) -> None:
        """Answer what is queued, finish the worker's round, close the pools."""
        await self.batcher.stop()
        await self.key_usage.stop()
        await self.worker.stop()
        if self.webhooks is not None:
            await self.webhooks.stop()
        await self.services.wechat.close()
        await self.providers.close()
        await self.database.close()


class FrontDoor:
    """The hot path goes straight to its endpoint; everything else by Starlette's routes."""

    def __init__(self, app: Starlette) -> None:
        self._endpoint: GraphQLEndpoint = app.state.endpoint
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/graphql":
            await self._endpoint(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _healthz(_: Request) -> Response:
    return PlainTextResponse("ok")


def create_app(settings: Settings, database: Database | None = None) -> Starlette:
    """The application of one server process; ``FrontDoor(app)`` serves it."""
    runtime = Runtime(settings, database)
    documents = DocumentStore(
        make_schema(),
        trusted_documents(),
        trusted_only=settings.trusted_documents_only,
        introspection=settings.introspection or settings.graphiql,
    )
    endpoint = GraphQLEndpoint(
        documents,
        runtime.services,
        verify=runtime.verify,
        throttle=runtime.throttle,
        page=query_page() if settings.graphiql else None,
        holder_of=runtime.holder_of,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await runtime.start()
        # What lives as long as the process need not be looked through again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        log.info("serving")
        try:
            yield
        finally:
            await runtime.stop()

    async def readyz(_: Request) -> Response:
        try:
            async with runtime.database.snapshot():
                return JSONResponse({"status": "ok"})
        except Exception as error:
            if not is_unavailable(error):
                raise
            return JSONResponse({"status": "database out of reach"}, status_code=503)

    async def home(_: Request) -> Response:
        found = PlainTextResponse("Loyalty engine. The API is at POST /graphql.\n")
        return RedirectResponse("/graphql") if settings.graphiql else found

    routes: list[BaseRoute] = [
        Route("/graphql", endpoint),
        Route("/healthz", _healthz),
        Route("/readyz", readyz),
        Route("/", home),
    ]
    routes.extend(runtime.file_routes())
    routes.extend(payout_callback_routes(settings, runtime.database, runtime.providers.paymaster))
    if settings.graphiql:
        routes.extend(asset_routes())
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.endpoint = endpoint
    return app
