"""A fair with raffles: entering, what everybody reads of them, and the lines of docs/raffles.md."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from loyalty.notifications.providers import NullProvider
from tests.api import Caller
from tests.rewards.payouts.stores import drain
from tests.scenarios.drawn import Fair
from workers.wiring import make_relay

RAFFLES_PAGE = Path(__file__).parents[2] / "docs" / "raffles.md"
PAGE_SIZE = 4
"""So that there are several pages."""

RAFFLES = """
{ raffles { nodes { id code status seedHash seed messageStart entriesCount entrantsCount reason
  worstCase { asset amount } settledAt
  prizeTable { poolMin prizes { nameEn winners asset amount couponTemplateId } } } } }
"""
PAGES = """
query ($id: ID!, $first: Int!, $after: String) { node(id: $id) { ... on Raffle {
  %s(first: $first, after: $after) { nodes { %s } pageInfo { endCursor hasNextPage } } } } }
"""
ENTRY_FIELDS = "id message entrant"
WINNER_FIELDS = "place entryId asset amount couponTemplateId paidAt prize { nameEn }"


def raffle_lines() -> str:
    [lines] = re.findall(r"```python\n(.*?)```", RAFFLES_PAGE.read_text("utf-8"), re.DOTALL)
    return str(lines)


async def raffle_as(caller: Caller, code: str) -> Any:
    """A raffle as somebody sees it."""
    nodes = (await caller.ask(RAFFLES))["raffles"]["nodes"]
    return next(node for node in nodes if node["code"] == code)


async def all_of(caller: Caller, raffle_id: str, name: str, fields: str) -> list[Any]:
    """All pages of one of a raffle's lists."""
    found: list[Any] = []
    after = None
    while True:
        asked = {"id": raffle_id, "first": PAGE_SIZE, "after": after}
        page = (await caller.ask(PAGES % (name, fields), **asked))["node"][name]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


async def balance(person: Caller, asset: str) -> int:
    rows = (await person.ask("{ me { balances { asset spendable } } }"))["me"]["balances"]
    return next((int(row["spendable"]) for row in rows if row["asset"] == asset), 0)


async def check_as_a_member(
    fair: Fair, code: str, noted_hash: str
) -> subprocess.CompletedProcess[str]:
    """Runs the lines of docs/raffles.md over what a member reads."""
    reader = fair.people[0]
    raffle = await raffle_as(reader, code)
    exported = fair.folder / "raffle.json"
    told = {
        "raffle": raffle,
        "notedHash": noted_hash,
        "entries": await all_of(reader, raffle["id"], "entries", ENTRY_FIELDS),
        "winners": await all_of(reader, raffle["id"], "winners", WINNER_FIELDS),
    }
    exported.write_text(json.dumps(told), "utf-8")
    return run_lines(exported)


def run_lines(exported: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", raffle_lines(), exported],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def tell_news(fair: Fair) -> None:
    """What is in the outbox is sent."""
    await drain(make_relay(fair.db, NullProvider()))
