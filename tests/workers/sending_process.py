"""A process that sends webhooks, for tests that kill it in the middle.

``python -m tests.workers.sending_process DATABASE_URL LEASE_SECONDS``
"""

import asyncio
import sys

from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.webhooks.targets import Sender
from tests.databases import MASTER_KEY
from workers.webhook_facts import Describer
from workers.webhooks import WebhookSender


async def send(url: str, lease_seconds: float) -> None:
    keyring = Keyring(bytes.fromhex(MASTER_KEY))
    sender = WebhookSender(
        Database(url),
        keyring,
        Sender(60, is_private_allowed=True),
        Describer(keyring),
        poll_seconds=0.05,
        lease_seconds=lease_seconds,
    )
    sender.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], float(sys.argv[2])))
