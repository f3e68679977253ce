"""Who is outside of this process, as the settings say: made by the server and by the worker."""

import base64
from contextlib import AsyncExitStack

from loyalty.clock import utc_now
from loyalty.notifications.providers import HttpProvider, NotificationProvider, NullProvider
from loyalty.settings import WEBHOOK_SECRET_PREFIX, Settings
from rewards.payouts.providers import (
    HttpPayoutProvider,
    NullPayoutProvider,
    Paymaster,
    PayoutProvider,
)


class Providers:
    """``notifier`` and ``paymaster`` of one process; ``close`` ends their connections."""

    def __init__(self, settings: Settings) -> None:
        self._open = AsyncExitStack()
        self.notifier = self._make_notifier(settings)
        self.paymaster = Paymaster(
            self._make_payout_provider(settings),
            settings.payout_ask_seconds,
            settings.payout_retry_seconds,
        )

    def _make_notifier(self, settings: Settings) -> NotificationProvider:
        url, secret = settings.notification_url, settings.notification_secret
        if url is None or secret is None:
            return NullProvider()
        encoded = secret.get_secret_value().removeprefix(WEBHOOK_SECRET_PREFIX)
        provider = HttpProvider(url, base64.b64decode(encoded), utc_now)
        self._open.push_async_callback(provider.close)
        return provider

    def _make_payout_provider(self, settings: Settings) -> PayoutProvider:
        url, secret = settings.payout_url, settings.payout_secret
        if settings.payout_provider == "null" or url is None or secret is None:
            return NullPayoutProvider()
        key = secret.get_secret_value().encode()
        provider = HttpPayoutProvider(url, key, settings.payout_timeout_seconds, utc_now)
        self._open.push_async_callback(provider.close)
        return provider

    async def close(self) -> None:
        await self._open.aclose()
