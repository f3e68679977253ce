"""Signing in: members by phone and one-time code or by WeChat, operators by e-mail, password and
TOTP; staying signed in, and signing out. Clerks sign in at a till: see places.py."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import strawberry

from graphql_schema.context import Context, Info
from graphql_schema.enums import MemberRole
from graphql_schema.faults import Throttled
from graphql_schema.permissions import Public
from graphql_schema.refusals import Refused
from loyalty.access import service, sessions
from loyalty.access.service import CodeThrottled
from loyalty.access.sessions import NewSession
from loyalty.access.wechat import WechatThrottled
from loyalty.actor import GRANTS_BY_ROLE, Actor, ActorKind, OperatorRole
from loyalty.brands.service import find_brand_by_slug
from loyalty.clock import utc_now
from loyalty.crypto import mask_phone
from loyalty.db import Tx
from loyalty.errors import CredentialsWrong, NotFound, RefreshTokenWrong, SignInCodeWrong
from loyalty.places.service import clerk_in_service


@strawberry.type
class RequestSignInCodeReceipt:
    sent_to: str
    expires_in_seconds: int


@strawberry.type(
    description="Send the token as: Authorization: Bearer <token>. The refresh token is good once,"
    " for refreshSession; keep it where nobody else reads it."
)
class SignInReceipt:
    token: str
    role: str
    expires_at: datetime
    refresh_token: str
    refresh_expires_at: datetime


@strawberry.type(description="The session is over, whether or not it was before.")
class SignOutReceipt:
    signed_out: bool


@strawberry.input
class RequestSignInCodeInput:
    brand: str
    phone: str


@strawberry.input
class SignInByCodeInput:
    brand: str
    phone: str
    code: str
    role: MemberRole = MemberRole.CONSUMER


@strawberry.input
class SignInOperatorInput:
    brand: str
    email: str
    password: str
    totp: str = strawberry.field(description="The six digits that the authenticator shows now.")


@strawberry.input
class SignInByWechatInput:
    brand: str
    app_id: str
    code: str = strawberry.field(description="What wx.login() gave the mini-program.")
    role: MemberRole = MemberRole.CONSUMER


@strawberry.input
class RefreshSessionInput:
    refresh_token: str


@strawberry.input
class SignOutInput:
    refresh_token: str = strawberry.field(description="Any of the session's, used or not.")


RequestSignInCodeResult = Annotated[
    RequestSignInCodeReceipt | Refused, strawberry.union("RequestSignInCodeResult")
]
SignInByCodeResult = Annotated[SignInReceipt | Refused, strawberry.union("SignInByCodeResult")]
SignInOperatorResult = Annotated[SignInReceipt | Refused, strawberry.union("SignInOperatorResult")]
SignInByWechatResult = Annotated[SignInReceipt | Refused, strawberry.union("SignInByWechatResult")]
RefreshSessionResult = Annotated[SignInReceipt | Refused, strawberry.union("RefreshSessionResult")]
SignOutResult = Annotated[SignOutReceipt | Refused, strawberry.union("SignOutResult")]


async def _brand_id(context: Context, slug: str) -> UUID:
    async with context.database.snapshot() as snapshot:
        brand = await find_brand_by_slug(snapshot, slug)
    if brand is None:
        raise NotFound(noun="brand")
    return brand.id


async def open_for(tx: Tx, context: Context, actor: Actor) -> NewSession:
    """A session as long as this kind of caller gets."""
    settings = context.settings
    is_clerk = actor.kind is ActorKind.CLERK
    ttl_seconds = settings.clerk_session_ttl_seconds if is_clerk else settings.refresh_ttl_seconds
    return await sessions.open_session(tx, context.keyring, actor, ttl_seconds)


def receipt_of(context: Context, actor: Actor, session: NewSession) -> SignInReceipt:
    """A fresh token of the actor, and the session's refresh token."""
    now = utc_now()
    return SignInReceipt(
        token=context.services.tokens.issue(actor, now),
        role=actor.role,
        expires_at=now + timedelta(seconds=context.settings.token_ttl_seconds),
        refresh_token=session.refresh_token,
        refresh_expires_at=session.expires_at,
    )


@strawberry.type
class AccessMutation:
    @strawberry.mutation(extensions=[Public()])
    async def request_sign_in_code(
        self, info: Info, input: RequestSignInCodeInput
    ) -> RequestSignInCodeResult:
        """Send a one-time code to a phone; only the newest one works."""
        context = info.context
        ttl_seconds = context.settings.sign_in_code_ttl_seconds
        brand_id = await _brand_id(context, input.brand)
        issued = await context.database.in_transaction(
            service.request_sign_in_code, context.keyring, ttl_seconds, brand_id, input.phone
        )
        if isinstance(issued, CodeThrottled):
            raise Throttled(issued.retry_after_seconds)
        await context.services.code_sender.send_code(issued.phone, issued.code, ttl_seconds)
        return RequestSignInCodeReceipt(
            sent_to=mask_phone(issued.phone), expires_in_seconds=ttl_seconds
        )

    @strawberry.mutation(extensions=[Public()])
    async def sign_in_by_code(self, info: Info, input: SignInByCodeInput) -> SignInByCodeResult:
        """Sign in with the code that came; the role is the one to act in."""
        context = info.context
        brand_id = await _brand_id(context, input.brand)

        async def settle(tx: Tx) -> tuple[Actor, NewSession] | None:
            identity = await service.redeem_sign_in_code(
                tx, context.keyring, brand_id, input.phone, input.code
            )
            if identity is None:
                return None
            actor = Actor(ActorKind.MEMBER, brand_id, identity.id, input.role.value)
            return actor, await open_for(tx, context, actor)

        settled = await context.database.in_transaction(settle)
        if settled is None:
            raise SignInCodeWrong()
        return receipt_of(context, *settled)

    @strawberry.mutation(extensions=[Public()])
    async def sign_in_operator(
        self, info: Info, input: SignInOperatorInput
    ) -> SignInOperatorResult:
        """Sign in to the brand's console."""
        context = info.context
        brand_id = await _brand_id(context, input.brand)
        async with context.database.snapshot() as snapshot:
            attempt = await service.find_sign_in(snapshot, brand_id, input.email)
        matched = await service.match_password(attempt, input.password)

        async def settle(tx: Tx) -> tuple[Actor, NewSession] | None:
            operator = await service.settle_sign_in(
                tx, context.keyring, attempt, matched, input.totp
            )
            if operator is None:
                return None
            role = OperatorRole(operator.role)
            grants = GRANTS_BY_ROLE[role]
            actor = Actor(ActorKind.OPERATOR, brand_id, operator.id, role.value, grants)
            return actor, await open_for(tx, context, actor)

        settled = await context.database.in_transaction(settle)
        if settled is None:
            raise CredentialsWrong()
        return receipt_of(context, *settled)

    @strawberry.mutation(extensions=[Public()])
    async def sign_in_by_wechat(
        self, info: Info, input: SignInByWechatInput
    ) -> SignInByWechatResult:
        """Sign in with the code of a mini-program; the role is the one to act in."""
        context = info.context
        brand_id = await _brand_id(context, input.brand)
        async with context.database.snapshot() as snapshot:
            secret = await service.find_wechat_secret(
                snapshot, context.keyring, brand_id, input.app_id
            )
        try:
            user = await context.services.wechat.identify(input.app_id, secret, input.code)
        except WechatThrottled as throttled:
            raise Throttled(throttled.retry_after_seconds) from None

        async def settle(tx: Tx) -> tuple[Actor, NewSession]:
            identity = await service.settle_wechat_sign_in(tx, brand_id, input.app_id, user)
            actor = Actor(ActorKind.MEMBER, brand_id, identity.id, input.role.value)
            return actor, await open_for(tx, context, actor)

        return receipt_of(context, *await context.database.in_transaction(settle))

    @strawberry.mutation(extensions=[Public()])
    async def refresh_session(self, info: Info, input: RefreshSessionInput) -> RefreshSessionResult:
        """A fresh token, and the next refresh token of the session. Each refresh token is good
        once: one that comes again ends the whole session."""
        context = info.context
        refreshed = await context.database.in_transaction(
            sessions.refresh_session, context.keyring, input.refresh_token, _in_service
        )
        if refreshed is None:
            raise RefreshTokenWrong()
        return receipt_of(context, *refreshed)

    @strawberry.mutation(extensions=[Public()])
    async def sign_out(self, info: Info, input: SignOutInput) -> SignOutResult:
        """End the session of a refresh token. A token already given lives out its minutes."""
        context = info.context
        await context.database.in_transaction(
            sessions.end_session, context.keyring, input.refresh_token
        )
        return SignOutReceipt(signed_out=True)


async def _in_service(tx: Tx, clerk: Actor) -> bool:
    if clerk.till_id is None:
        return False
    return await clerk_in_service(tx, clerk.brand_id, clerk.id, clerk.till_id)
