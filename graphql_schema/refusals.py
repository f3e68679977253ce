"""Refusals as results: every mutation answers its receipt or a Refused."""

from typing import Any

import strawberry
from strawberry.scalars import JSON
from strawberry.types.field import StrawberryField

from graphql_schema.context import Context
from loyalty.errors import Refusal


@strawberry.type
class Refused:
    """The request was understood and not done; nothing was written. ``code`` is stable and
    explained in docs/errors.md; ``message`` is in the caller's language."""

    code: str
    message: str
    details: JSON


class RefusalHandler(strawberry.ExceptionHandler[Refusal, Refused]):
    """Converts what services raise into what mutations answer."""

    def handle(
        self,
        exception: Refusal,
        *,
        field: StrawberryField,
        info: strawberry.Info[Context, Any],
    ) -> Refused:
        return Refused(
            code=exception.code,
            message=exception.message(info.context.language),
            details=JSON(exception.details),
        )
