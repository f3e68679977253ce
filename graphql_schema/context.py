"""What every resolver may reach: the caller, the process's services, the request's loaders.

Never a session: siblings resolve concurrently, so each resolver opens its own snapshot.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar
from uuid import UUID

import strawberry

from graphql_schema.faults import Throttled, Unauthenticated
from loyalty.access.tokens import TokenIssuer
from loyalty.access.wechat import WechatClient
from loyalty.actor import Actor, ActorKind
from loyalty.brands.service import get_brand
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.notifications.providers import SignInCodeSender
from loyalty.products.models import Product
from loyalty.products.queries import find_product
from loyalty.settings import Settings
from rewards.purchases.service import ConfigurationCache
from rewards.scans.intake import ScanIntake
from tiers.ladders.rules import LadderView

Language = Literal["zh-CN", "en"]
L = TypeVar("L")


class GuessThrottle(Protocol):
    """Remembers who tries codes that are not ours."""

    def wait_seconds(self, caller: Hashable) -> int: ...

    def count(self, caller: Hashable) -> None: ...


class KeyUsage(Protocol):
    """Counts what partners' keys call, a field at a time."""

    def count(self, actor: Actor, field_name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Services:
    """One per process, made by the composition root."""

    database: Database
    keyring: Keyring
    settings: Settings
    scans: ScanIntake
    tokens: TokenIssuer
    code_sender: SignInCodeSender
    guesses: GuessThrottle
    wechat: WechatClient
    key_usage: KeyUsage
    ladders: dict[UUID, tuple[int, dict[str, LadderView]]] = field(default_factory=dict)
    timezones: dict[UUID, str] = field(default_factory=dict)
    products: dict[tuple[UUID, UUID], Product] = field(default_factory=dict)
    configurations: ConfigurationCache = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "configurations", ConfigurationCache(self.keyring))


@dataclass(slots=True)
class Context:
    """One per request. ``address`` is the client's IP, ``actor`` None for the anonymous."""

    services: Services
    actor: Actor | None = None
    language: Language = "zh-CN"
    address: str = ""
    _loaders: dict[Any, Any] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.services.database

    @property
    def keyring(self) -> Keyring:
        return self.services.keyring

    @property
    def settings(self) -> Settings:
        return self.services.settings

    async def timezone(self, brand_id: UUID) -> str:
        """A brand's time zone; it never changes."""
        found = self.services.timezones.get(brand_id)
        if found is None:
            async with self.database.snapshot() as snapshot:
                found = (await get_brand(snapshot, brand_id)).timezone
            self.services.timezones[brand_id] = found
        return found

    async def product(self, product_id: UUID) -> Product | None:
        """A product of the caller's brand: they do not change once they are made, but for the age
        that they ask for."""
        key = (self.caller.brand_id, product_id)
        found = self.services.products.get(key)
        if found is None:
            async with self.database.snapshot() as snapshot:
                found = await find_product(snapshot, *key)
            if found is not None:
                self.services.products[key] = found
        return found

    def check_guessing(self, at: UUID | None = None) -> None:
        """Raises THROTTLED for a caller who tried too many codes that are not ours; ``at``: at one
        of its tills, where a key calls for many."""
        wait = self.services.guesses.wait_seconds((self.caller.id, at) if at else self.caller.id)
        if wait:
            raise Throttled(wait)

    def count_guess(self, at: UUID | None = None) -> None:
        """Remember that the caller tried a code that is not ours."""
        self.services.guesses.count((self.caller.id, at) if at else self.caller.id)

    def count_use(self, field_name: str) -> None:
        """Remember that the caller called a field, where the caller is a key."""
        if self.caller.kind is ActorKind.PARTNER:
            self.services.key_usage.count(self.caller, field_name)

    @property
    def caller(self) -> Actor:
        """The actor, where a permission has made sure that there is one."""
        if self.actor is None:
            raise Unauthenticated
        return self.actor

    def loader(self, make: Callable[["Context"], L]) -> L:
        """The request's one loader of this kind, made by ``make(context)`` when first needed."""
        found: L | None = self._loaders.get(make)
        if found is None:
            found = self._loaders[make] = make(self)
        return found


Info = strawberry.Info[Context, None]
"""What resolvers annotate: ``info: Info``; ``info.context`` is a ``Context``."""


def language_of(accept_language: str) -> Language:
    """The better of our two languages for an Accept-Language header; zh-CN unless en wins."""
    best: tuple[float, Language] = (0.0, "zh-CN")
    for item in accept_language.split(",")[:10]:
        tag, _, parameters = item.strip().partition(";")
        name, _, value = parameters.strip().partition("=")
        try:
            quality = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        primary = tag.strip().partition("-")[0].lower()
        language: Language | None = "zh-CN" if primary == "zh" else None
        if primary == "en":
            language = "en"
        if language is not None and best[0] < quality <= 1.0:
            best = (quality, language)
    return best[1]
