"""The relay with every handler and courier, put together once for the server and the worker."""

from loyalty.db import Database
from loyalty.notifications.providers import NotificationProvider
from workers.couriers import Courier, NotificationCourier
from workers.handlers import NEWS, SETTLED_HERE
from workers.relay import Relay


def make_relay(db: Database, notifier: NotificationProvider) -> Relay:
    """The relay of one process."""
    couriers: dict[str, Courier] = {
        topic: NotificationCourier(notifier, prepare) for topic, prepare in NEWS.items()
    }
    return Relay(db, SETTLED_HERE, couriers)
