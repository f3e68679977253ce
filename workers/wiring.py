"""The relay with every handler and courier, put together once for the server and the worker."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.notifications.providers import NotificationProvider
from loyalty.outbox import LEASE_SECONDS
from loyalty.settings import Settings
from loyalty.webhooks.targets import Sender
from rewards.activities.service import settle_activities
from rewards.events.service import settle_birthdays
from rewards.matching.service import Matcher
from rewards.payouts.providers import NullPayoutProvider, Paymaster
from rewards.payouts.service import ASK_TOPIC, REQUESTED_TOPIC
from rewards.purchases.service import ConfigurationCache
from workers.couriers import Courier, NotificationCourier
from workers.draws import SeedMaker, SeedRevealer
from workers.earning import earning
from workers.gifts import GIFTS_TOPIC, give_level_gifts
from workers.handlers import NEWS, SETTLED_HERE
from workers.issue_lists import CHUNK_ROWS, ListWorker
from workers.payouts import PayoutCourier
from workers.periodic import JOBS, Periodic
from workers.purchase_news import PURCHASE_NEWS
from workers.raffles import CHUNK_ENTRIES, RAFFLE_NEWS, RaffleKeeper
from workers.relay import Relay
from workers.settlement import settlement
from workers.simulations import PIECE_EVENTS_MAX, PIECES_MAX, Simulator
from workers.webhook_facts import ANNOUNCED, Describer, note_webhooks, replay_webhooks
from workers.webhooks import WebhookSender

SEEDS_SECONDS = 300
RAFFLES_SECONDS = 15
MATCHES_SECONDS = 5
LISTS_SECONDS = 2
CHUNK_IDENTITIES = 1_000


def make_jobs(keyring: Keyring) -> Mapping[str, Periodic]:
    """The periodic work of one process, with what needs its keys."""
    cache = ConfigurationCache(keyring)
    birthdays = partial(settle_birthdays, cache=cache)
    activities = partial(settle_activities, cache=cache)
    return {
        **JOBS,
        "settle_birthdays": replace(JOBS["settle_birthdays"], verb=birthdays),
        "settle_activities": replace(JOBS["settle_activities"], verb=activities),
        "make_draw_seeds": Periodic(SEEDS_SECONDS, SeedMaker(keyring)),
        "reveal_draw_seeds": Periodic(SEEDS_SECONDS, SeedRevealer(keyring)),
        "settle_raffles": Periodic(RAFFLES_SECONDS, RaffleKeeper(keyring), CHUNK_ENTRIES),
        "make_match_tokens": Periodic(MATCHES_SECONDS, Matcher(keyring), CHUNK_IDENTITIES),
        "work_off_issue_lists": Periodic(LISTS_SECONDS, ListWorker(), CHUNK_ROWS),
        "replay_webhooks": Periodic(2, replay_webhooks),
        "run_simulations": Periodic(1, Simulator(), PIECE_EVENTS_MAX, PIECES_MAX),
    }


def make_relay(
    db: Database,
    notifier: NotificationProvider,
    paymaster: Paymaster | None = None,
    *,
    keyring: Keyring | None = None,
    lease_seconds: float = LEASE_SECONDS,
) -> Relay:
    """The relay of one process; without a ``paymaster`` stores are paid in our books only,
    without a ``keyring`` no campaign with a draw runs for what facts earn."""
    paymaster = paymaster or Paymaster(NullPayoutProvider())
    couriers: dict[str, Courier] = {
        topic: NotificationCourier(notifier, prepare)
        for topic, prepare in {**NEWS, **PURCHASE_NEWS, **RAFFLE_NEWS}.items()
    }
    couriers |= dict.fromkeys((REQUESTED_TOPIC, ASK_TOPIC), PayoutCourier(paymaster))
    settled_here = {**SETTLED_HERE, **settlement(paymaster), GIFTS_TOPIC: give_level_gifts}
    settled_here |= ANNOUNCED
    return Relay(
        db,
        settled_here,
        couriers,
        earning(keyring),
        note=note_webhooks,
        lease_seconds=lease_seconds,
    )


def make_webhooks(db: Database, keyring: Keyring, settings: Settings) -> WebhookSender:
    """What sends the webhooks of one process."""
    sender = Sender(
        settings.webhook_timeout_seconds, is_private_allowed=settings.webhook_allow_private
    )
    return WebhookSender(
        db,
        keyring,
        sender,
        Describer(keyring),
        poll_seconds=settings.outbox_poll_seconds,
        lease_seconds=settings.lease_seconds,
    )
