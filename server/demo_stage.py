"""What the demo's scenes share: the brand, its people, the bottles, and what happened so far."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import httpx2
import typer

from loyalty.db import Database
from loyalty.errors import Refusal
from loyalty.settings import Settings
from server.demo_client import Caller, StoryBroke
from server.demo_folder import DemoFolder
from server.demo_screen import Screen
from server.demo_server import DemoServer

T = TypeVar("T")

BRAND = "demo"
BRAND_NAME = "梅子与气泡 Plum & Bubbles"
TIMEZONE = "Asia/Shanghai"
OPERATOR_EMAIL = "lin@demo.example"
LABEL_HOST = "demo.example"
BOTTLES = 24
SHANGHAI = {"latitude": 31.2304, "longitude": 121.4737}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the story. The phones are of the range reserved for fiction (555-01xx); China's
    numbering plan has none."""

    name: str
    phone: str = field(repr=False)
    device: str


ZHOU = Person("Zhou Jie 周洁", "+12025550101", "zhou-phone")
WU = Person("Wu Gang 吴刚", "+12025550102", "wu-phone")
MEI = Person("Mei 小美", "+12025550111", "mei-phone")
BO = Person("Bo 阿波", "+12025550122", "bo-phone")
QING = Person("Qing 小青", "+12025550133", "qing-phone")
CHEN = Person("Chen 陈姨", "+12025550144", "chen-phone")


@dataclass(frozen=True, slots=True)
class Product:
    """What is sold: ``slug`` names its files."""

    slug: str
    sku: str
    name_en: str
    name_zh: str


PLUM = Product("plum", "PLUM-330", "Plum Soda", "梅子气泡水")
OOLONG = Product("oolong", "OOLONG-500", "Osmanthus Oolong", "桂花乌龙")


@dataclass
class Tally:
    """Scans recorded so far, as the figures of the day must tell them in the end, and the points
    that were not of scans."""

    scans: int = 0
    first_scans: int = 0
    paid_scans: int = 0
    enrolled: int = 0
    points_beside: int = 0
    scanned_at: list[datetime] = field(default_factory=list)


@dataclass
class Stage:
    """``codes`` are what is printed on bottle n, by (product's slug, kind): its whole URL.
    ``callers`` are who has signed in, by name, ``product_ids`` by slug."""

    screen: Screen
    folder: DemoFolder
    settings: Settings
    server: DemoServer
    client: httpx2.Client
    operator: Caller
    password: str = field(repr=False)
    totp_secret: str = field(repr=False)
    callers: dict[str, Caller] = field(default_factory=dict)
    codes: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    product_ids: dict[str, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

    def person(self, person: Person) -> Caller:
        """Somebody who has signed in."""
        return self.callers[person.name]

    def scan(
        self, who: Caller, device: str, code: str, key: str | None = None, language: str = "en"
    ) -> Any:
        """One scan over HTTP: its receipt or its refusal. What is recorded is counted."""
        caller = Caller(self.client, who.token, language)
        answer = caller.attempt("scanCode", key, code=code, deviceId=device, position=SHANGHAI)
        if answer["__typename"] == "ScanCodeReceipt" and not answer["replayed"]:
            self.tally.scans += 1
            self.tally.first_scans += answer["verdict"] == "FIRST"
            self.tally.paid_scans += answer["unpaidReason"] is None
            self.tally.enrolled += answer["isNewMember"]
            self.tally.scanned_at.append(datetime.fromisoformat(answer["occurredAt"]))
        return answer


def clock_time(at: str) -> str:
    """A time of the API on the brand's clock: ``21:14:03``."""
    return f"{datetime.fromisoformat(at).astimezone(ZoneInfo(TIMEZONE)):%H:%M:%S}"


def on_host(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """Work on the demo's database from the host; a refusal breaks the story."""

    async def body() -> T:
        database = Database(settings.database_url)
        try:
            return await work(database)
        finally:
            await database.close()

    try:
        return asyncio.run(body())
    except Refusal as refusal:
        raise StoryBroke(f"Refused: {refusal.code} {refusal.message('en')}") from refusal


def run_command(command: Callable[..., None], *arguments: object, **options: object) -> Any:
    """What a ``loyalty`` command answers with ``--json``; StoryBroke if it fails.

    The very function that the command line calls, in this process: starting another takes seconds.
    """
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            command(*arguments, **options, as_json=True)
    except typer.Exit as ended:
        raise StoryBroke(f"The command ended with exit code {ended.exit_code}.") from ended
    return json.loads(said.getvalue())


def named(path: Path) -> str:
    """A path as people type it: from here, where that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
