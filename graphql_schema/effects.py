"""How mutations run: one transaction, one idempotency key, one reply."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Protocol, TypeVar
from uuid import UUID

import strawberry
from sqlmodel import SQLModel

from graphql_schema.context import Context
from loyalty import audit_log, idempotency
from loyalty.actor import Actor, ActorKind
from loyalty.db import Tx

Verb = Callable[[Tx, Actor], Awaitable[dict[str, Any]]]
"""A service call that answers what to remember of it: ids and figures, as JSON."""

Row = TypeVar("Row", bound=SQLModel)

_CAME_LATER = {"recordPurchase": "place_id"}
"""By operation, a field that its input has since keys were kept for it."""


class Keyed(Protocol):
    """The input of a mutation that moves value."""

    idempotency_key: strawberry.ID


def body_of(operation: str, input: Keyed) -> dict[str, Any]:
    """The whole input but the key. A field that came later and is not given is left out: who tries
    again what was done before there was one says the same."""
    body = asdict(input)  # type: ignore[call-overload]  # every Strawberry input is a dataclass
    del body["idempotency_key"]
    late = _CAME_LATER.get(operation)
    if late is not None and body[late] is None:
        del body[late]
    return body  # type: ignore[no-any-return]


async def effect_once(
    context: Context, operation: str, input: Keyed, verb: Verb
) -> tuple[dict[str, Any], bool]:
    """Run a verb for the caller once per idempotency key: its reply, and whether replayed.

    The whole input but the key is the body: the same key with another input is a conflict. What a
    partner's key does is in the audit log: of programs nobody else tells who did it.
    """
    actor = context.caller
    body, key = body_of(operation, input), str(input.idempotency_key)

    async def on_record(tx: Tx) -> dict[str, Any]:
        reply = await verb(tx, actor)
        if actor.kind is ActorKind.PARTNER:
            subject_id = UUID(str(reply["id"])) if "id" in reply else actor.id
            await audit_log.record(tx, actor, f"partner.{operation}", subject_id)
        return reply

    async def run(tx: Tx) -> tuple[dict[str, Any], bool]:
        return await idempotency.once(
            tx, actor, context.keyring, operation, key, body, lambda: on_record(tx)
        )

    return await context.database.in_transaction(run)


async def row_once(
    context: Context,
    operation: str,
    input: Keyed,
    model: type[Row],
    step: Callable[[Tx, Actor], Awaitable[Row]],
) -> tuple[Row, bool]:
    """Take a step of a row once per idempotency key: the row as it was right after it, and whether
    replayed."""

    async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
        return (await step(tx, actor)).model_dump(mode="json")

    reply, replayed = await effect_once(context, operation, input, verb)
    return model.model_validate(reply), replayed
