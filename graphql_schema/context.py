"""What every resolver may reach: the caller, the process's services, the request's loaders.

Never a session: siblings resolve concurrently, so each resolver opens its own snapshot.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import strawberry

from graphql_schema.faults import Unauthenticated
from loyalty.actor import Actor
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.settings import Settings

Language = Literal["zh-CN", "en"]
L = TypeVar("L")


@dataclass(frozen=True, slots=True)
class Services:
    """One per process, made by the composition root."""

    database: Database
    keyring: Keyring
    settings: Settings


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
