"""Member days (会员日): a brand's calendar, shown to its members, read by conditions."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.effects import effect_once
from graphql_schema.permissions import HasGrant, IsSignedIn
from graphql_schema.refusals import Refused
from loyalty.actor import Actor, Grant
from loyalty.brands import rules, service
from loyalty.clock import local_date
from loyalty.db import Tx


@strawberry.type(
    description="A member day: dayOfMonth of each month that has it, or the date on. nextOn: the"
    " first one from today on, null when it is over."
)
class MemberDay:
    day_of_month: int | None
    on: date | None
    name_zh: str
    name_en: str
    name: str = strawberry.field(description="In the caller's language.")
    next_on: date | None


@strawberry.input(description="Either dayOfMonth or on. Days go by the brand's own clock.")
class MemberDayInput:
    day_of_month: int | None = strawberry.field(default=None, description="1 to 31.")
    on: date | None = None
    name_zh: str
    name_en: str


@strawberry.input
class SetMemberDaysInput:
    idempotency_key: strawberry.ID
    days: list[MemberDayInput] = strawberry.field(
        description="The whole calendar: what is left out is no member day any more."
    )


@strawberry.type
class SetMemberDaysReceipt:
    replayed: bool
    member_days: list[MemberDay]


SetMemberDaysResult = Annotated[
    SetMemberDaysReceipt | Refused, strawberry.union("SetMemberDaysResult")
]


def _shown(context: Context, days: Sequence[rules.MemberDay], today: date) -> list[MemberDay]:
    """The next one first; those that are over last."""
    shown = [
        MemberDay(
            day_of_month=day.day_of_month,
            on=day.on,
            name_zh=day.name_zh,
            name_en=day.name_en,
            name=day.name_en if context.language == "en" else day.name_zh,
            next_on=rules.next_date(day, today),
        )
        for day in days
    ]
    return sorted(shown, key=lambda day: (day.next_on is None, day.next_on or day.on or today))


async def _member_days(context: Context) -> list[MemberDay]:
    async with context.database.snapshot() as snapshot:
        brand = await service.get_brand(snapshot, context.caller.brand_id)
        today = local_date(snapshot.now, brand.timezone)
    return _shown(context, rules.member_days_from_json(brand.member_days), today)


@strawberry.type
class MemberDayQuery:
    @strawberry.field(extensions=[IsSignedIn()])
    async def member_days(self, info: Info) -> list[MemberDay]:
        """The brand's member days (会员日), the next one first."""
        return await _member_days(info.context)


@strawberry.type
class MemberDayMutation:
    @strawberry.mutation(extensions=[HasGrant(Grant.CAMPAIGNS)])
    async def set_member_days(self, info: Info, input: SetMemberDaysInput) -> SetMemberDaysResult:
        """Set the brand's calendar of member days. Conditions read it as calendar.memberDay."""
        days = [
            rules.MemberDay(day.day_of_month, day.on, day.name_zh, day.name_en)
            for day in input.days
        ]

        async def verb(tx: Tx, actor: Actor) -> dict[str, Any]:
            await service.set_member_days(tx, actor, days)
            return {}

        _, replayed = await effect_once(info.context, "setMemberDays", input, verb)
        return SetMemberDaysReceipt(replayed=replayed, member_days=await _member_days(info.context))
