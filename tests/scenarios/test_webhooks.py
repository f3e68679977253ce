"""Webhooks as a brand's own engineers meet them, by the page that they read: the receiver of
docs/webhooks.md runs as it is printed there."""

import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.api import Host, api_of
from tests.child import start_child, stop_child
from tests.house.source import ROOT
from tests.scenarios.shop import POINTS, Shop, eventually, open_shop, outcome
from tests.servers import ServerFactory

DELIVERIES = """
query ($status: WebhookDeliveryStatus) { webhookDeliveries(status: $status) { nodes {
    id eventType webhookId status attempts lastError nextAt log { statusCode error } } } }
"""
LINES_MAX = 32


@pytest_asyncio.fixture
async def shop(
    server_process: ServerFactory, command_env: dict[str, str], tmp_path: Path
) -> AsyncIterator[Shop]:
    """A shop on a server that may send to this machine."""
    server = server_process(environment={"LOYALTY_WEBHOOK_ALLOW_PRIVATE": "true"})
    async with api_of(server.url) as api:
        yield await open_shop(api, Host(command_env), server, tmp_path)


class Receiver:
    """The page's receiver, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        text = (ROOT / "docs" / "webhooks.md").read_text()
        [source] = re.findall(r"```python\n(.*?)```", text, re.S)
        assert len([line for line in source.splitlines() if line]) <= LINES_MAX
        self._file, self._log = folder / "receiver.py", folder / "receiver.log"
        self._file.write_text(source)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/in"
        self._process: Any = None

    def start(self, secret: str) -> None:
        """Anew, with this secret; what it printed before stays."""
        self.stop()
        environment = {**os.environ, "SECRET": secret, "PORT": str(self.port)}
        with self._log.open("ab") as log:
            self._process = start_child(
                [sys.executable, str(self._file)],
                log=log,
                environment=environment,
                cwd=self._file.parent,
            )

    def stop(self) -> None:
        if self._process is not None:
            stop_child(self._process, signal.SIGKILL, seconds=5)
            self._process = None

    async def events(self) -> list[tuple[str, Any]]:
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        told = [line.partition(" ") for line in lines if re.match(r"[a-z]+\.[a-z]+ \{", line)]
        return [(name, json.loads(data)) for name, _, data in told]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path)
    yield receiver
    receiver.stop()


async def test_a_brand_is_told_of_its_scans_as_the_page_says(
    shop: Shop, receiver: Receiver
) -> None:
    asked = {"url": receiver.url, "eventTypes": ["scan.paid", "scan.unpaid"]}
    made = await shop.admin.done("createWebhookEndpoint", **asked)
    endpoint = {"endpointId": made["endpoint"]["id"]}
    receiver.start(made["secret"])
    await shop.publish([outcome("CONSUMER", POINTS, 100)])
    [[code]] = await shop.print_codes(1, "INNER")
    ann, bob = await shop.person("13800138001"), await shop.person("13800138002")
    scan = await ann.done("scanCode", code=code)
    again = await bob.done("scanCode", code=code)

    first, second = await eventually(receiver.events, lambda told: len(told) >= 2)
    events = {data["scan_id"]: (name, data) for name, data in (first, second)}
    name, paid = events[scan["scanId"]]
    member_id = (await ann.me())["id"]
    assert (name, paid["member_id"]) == ("scan.paid", member_id)
    reward = {"member_id": member_id, "asset": POINTS, "amount": 100, "locked": False}
    assert reward in paid["rewards"]
    name, unpaid = events[again["scanId"]]
    assert (name, unpaid["first"]) == ("scan.unpaid", False)
    assert unpaid["unpaid_reason"] == "ALREADY_CLAIMED"
    assert unpaid["item"] == paid["item"]
    assert code not in str(events)

    # The secret is changed over while events come; then the receiver knows the old one only.
    rotated = await shop.admin.done("rotateWebhookSecret", **endpoint, overlapSeconds=3600)
    assert rotated["secret"] != made["secret"]
    await shop.admin.done("sendTestWebhook", **endpoint)
    await eventually(receiver.events, lambda told: len(told) == 3)
    await shop.admin.done("rotateWebhookSecret", **endpoint, overlapSeconds=0)
    test = (await shop.admin.done("sendTestWebhook", **endpoint))["delivery"]

    async def failed() -> Any:
        return (await shop.admin.ask(DELIVERIES, status="PENDING"))["webhookDeliveries"]["nodes"]

    [waiting] = await eventually(failed, lambda nodes: bool(nodes) and nodes[0]["attempts"] > 0)
    assert (waiting["id"], waiting["lastError"]) == (test["id"], "HTTP 401")

    newest = await shop.admin.done("rotateWebhookSecret", **endpoint)
    receiver.start(newest["secret"])
    await shop.admin.done("resendWebhook", deliveryId=test["id"])
    told = await eventually(receiver.events, lambda told: len(told) == 4)
    assert [name for name, _ in told[2:]] == ["webhook.test", "webhook.test"]
    assert (await shop.host.run("audit"))["broken"] == 0
