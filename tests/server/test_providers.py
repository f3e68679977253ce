"""Who a process reaches outside is what the settings say."""

from pydantic import SecretStr

from loyalty.notifications.providers import HttpProvider, NullProvider
from loyalty.settings import Settings
from rewards.payouts.providers import HttpPayoutProvider, NullPayoutProvider
from server.providers import Providers

SECRET = SecretStr("s" * 32)
WEBHOOK_SECRET = SecretStr("whsec_" + "QUJD" * 8)


async def test_nobody_is_reached_unless_told() -> None:
    providers = Providers(Settings(payout_url="https://pay.example", payout_secret=SECRET))
    assert isinstance(providers.notifier, NullProvider)
    assert isinstance(providers.paymaster.provider, NullPayoutProvider)
    await providers.close()


async def test_a_gateway_and_a_payout_provider_are_reached_by_http() -> None:
    settings = Settings(
        payout_url="https://pay.example",
        payout_secret=SECRET,
        payout_provider="http",
        payout_ask_seconds=7,
        payout_retry_seconds=8,
        notification_secret=WEBHOOK_SECRET,
        notification_url="https://messages.example",
    )
    providers = Providers(settings)
    assert isinstance(providers.notifier, HttpProvider)
    assert isinstance(providers.paymaster.provider, HttpPayoutProvider)
    assert (providers.paymaster.ask_seconds, providers.paymaster.retry_seconds) == (7, 8)
    await providers.close()
