"""How operators, sign-in codes, sessions and WeChat accounts are found, always inside one brand."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, update
from sqlmodel import col, select

from loyalty import keyed
from loyalty.access.models import (
    Operator,
    RefreshToken,
    SignInCode,
    SignInSession,
    WechatAccount,
    WechatApp,
)
from loyalty.db import Snapshot, Tx


async def find_operator_by_email(snapshot: Snapshot, brand_id: UUID, email: str) -> Operator | None:
    """By the normalised address."""
    found = await snapshot.session.exec(
        select(Operator).where(col(Operator.brand_id) == brand_id, col(Operator.email) == email)
    )
    return found.first()


async def find_operator(snapshot: Snapshot, brand_id: UUID, operator_id: UUID) -> Operator | None:
    return await keyed.find_row(snapshot, Operator, brand_id, operator_id)


async def get_operator(snapshot: Snapshot, brand_id: UUID, operator_id: UUID) -> Operator:
    return await keyed.get_row(snapshot, Operator, brand_id, operator_id, "operator")


async def lock_operator(tx: Tx, brand_id: UUID, operator_id: UUID) -> Operator | None:
    """The row as it is now, and nobody else changes it until this transaction ends."""
    return await keyed.lock_row(tx, Operator, brand_id, operator_id)


async def list_code_times(
    tx: Tx, brand_id: UUID, phone_hash: str, since: datetime
) -> Sequence[datetime]:
    """When codes were made for a phone after ``since``, oldest first."""
    found = await tx.session.exec(
        select(SignInCode.created_at)
        .where(
            col(SignInCode.brand_id) == brand_id,
            col(SignInCode.phone_hash) == phone_hash,
            col(SignInCode.created_at) > since,
        )
        .order_by(col(SignInCode.created_at))
    )
    return found.all()


async def find_newest_code(tx: Tx, brand_id: UUID, phone_hash: str) -> SignInCode | None:
    found = await tx.session.exec(
        select(SignInCode)
        .where(col(SignInCode.brand_id) == brand_id, col(SignInCode.phone_hash) == phone_hash)
        .order_by(col(SignInCode.created_at).desc(), col(SignInCode.id).desc())
        .limit(1)
    )
    return found.first()


async def set_failures(
    tx: Tx, operator: Operator, failed_attempts: int, locked_until: datetime | None
) -> None:
    """Count failed sign-ins of an operator that the caller has locked."""
    await tx.session.exec(
        update(Operator)
        .where(col(Operator.brand_id) == operator.brand_id, col(Operator.id) == operator.id)
        .values(failed_attempts=failed_attempts, locked_until=locked_until)
        .execution_options(synchronize_session=False)
    )


async def take_attempt(tx: Tx, code: SignInCode) -> bool:
    """Use up one guess of a living code; False when there is none left, or it is dead."""
    guess = await tx.session.exec(
        update(SignInCode)
        .where(
            col(SignInCode.brand_id) == code.brand_id,
            col(SignInCode.id) == code.id,
            col(SignInCode.attempts_left) > 0,
            col(SignInCode.used_at).is_(None),
            col(SignInCode.expires_at) > tx.now,
        )
        .values(attempts_left=col(SignInCode.attempts_left) - 1)
        .execution_options(synchronize_session=False)
    )
    return guess.rowcount == 1


async def use_code(tx: Tx, code: SignInCode) -> bool:
    """Use a code for good; False when somebody was first."""
    use = await tx.session.exec(
        update(SignInCode)
        .where(
            col(SignInCode.brand_id) == code.brand_id,
            col(SignInCode.id) == code.id,
            col(SignInCode.used_at).is_(None),
        )
        .values(used_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return use.rowcount == 1


async def use_totp_step(tx: Tx, operator: Operator, step: int) -> bool:
    """Take a time step for an operator for good; False when it, or a later one, was taken."""
    use = await tx.session.exec(
        update(Operator)
        .where(
            col(Operator.brand_id) == operator.brand_id,
            col(Operator.id) == operator.id,
            or_(col(Operator.totp_last_step).is_(None), col(Operator.totp_last_step) < step),
        )
        .values(totp_last_step=step)
        .execution_options(synchronize_session=False)
    )
    return use.rowcount == 1


async def set_totp(tx: Tx, operator: Operator, totp_cipher: str) -> None:
    """Another TOTP secret; codes of the old one are worth nothing from now on."""
    await tx.session.exec(
        update(Operator)
        .where(col(Operator.brand_id) == operator.brand_id, col(Operator.id) == operator.id)
        .values(totp_cipher=totp_cipher, totp_last_step=None)
        .execution_options(synchronize_session=False)
    )


# --- sessions ----------------------------------------------------------------------------------


async def find_refresh_token(tx: Tx, brand_id: UUID, token_hash: str) -> RefreshToken | None:
    found = await tx.session.exec(
        select(RefreshToken).where(
            col(RefreshToken.brand_id) == brand_id, col(RefreshToken.token_hash) == token_hash
        )
    )
    return found.first()


async def lock_session(tx: Tx, brand_id: UUID, session_id: UUID) -> SignInSession:
    """The row as it is now; nobody refreshes or ends it until this transaction ends."""
    found = await tx.session.exec(
        select(SignInSession)
        .where(col(SignInSession.brand_id) == brand_id, col(SignInSession.id) == session_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.one()


async def use_refresh_token(tx: Tx, token: RefreshToken) -> bool:
    """Use a token for good; False when somebody was first."""
    use = await tx.session.exec(
        update(RefreshToken)
        .where(
            col(RefreshToken.brand_id) == token.brand_id,
            col(RefreshToken.id) == token.id,
            col(RefreshToken.used_at).is_(None),
        )
        .values(used_at=tx.now)
        .execution_options(synchronize_session=False)
    )
    return use.rowcount == 1


async def revoke_session(tx: Tx, brand_id: UUID, session_id: UUID, reason: str) -> bool:
    """End one session; False when it was ended before."""
    return await _revoke(tx, brand_id, col(SignInSession.id) == session_id, reason) == 1


async def revoke_sessions_of(tx: Tx, brand_id: UUID, subject_id: UUID, reason: str) -> int:
    """End all sessions of one caller; how many there were."""
    return await _revoke(tx, brand_id, col(SignInSession.subject_id) == subject_id, reason)


async def _revoke(tx: Tx, brand_id: UUID, which: ColumnElement[bool], reason: str) -> int:
    ended = await tx.session.exec(
        update(SignInSession)
        .where(
            col(SignInSession.brand_id) == brand_id, which, col(SignInSession.revoked_at).is_(None)
        )
        .values(revoked_at=tx.now, revoked_reason=reason)
        .execution_options(synchronize_session=False)
    )
    return ended.rowcount


# --- WeChat ------------------------------------------------------------------------------------


async def find_wechat_app(snapshot: Snapshot, brand_id: UUID, app_id: str) -> WechatApp | None:
    found = await snapshot.session.exec(
        select(WechatApp).where(
            col(WechatApp.brand_id) == brand_id, col(WechatApp.app_id) == app_id
        )
    )
    return found.first()


async def list_wechat_apps(snapshot: Snapshot, brand_id: UUID) -> Sequence[WechatApp]:
    """By app id."""
    found = await snapshot.session.exec(
        select(WechatApp).where(col(WechatApp.brand_id) == brand_id).order_by(col(WechatApp.app_id))
    )
    return found.all()


async def delete_wechat_app(tx: Tx, app: WechatApp) -> bool:
    """False when somebody was first."""
    gone = await tx.session.exec(
        delete(WechatApp)
        .where(col(WechatApp.brand_id) == app.brand_id, col(WechatApp.id) == app.id)
        .execution_options(synchronize_session=False)
    )
    return gone.rowcount == 1


async def find_wechat_account(
    tx: Tx, brand_id: UUID, app_id: str, openid: str
) -> WechatAccount | None:
    """As it is now."""
    found = await tx.session.exec(
        select(WechatAccount)
        .where(
            col(WechatAccount.brand_id) == brand_id,
            col(WechatAccount.app_id) == app_id,
            col(WechatAccount.openid) == openid,
        )
        .execution_options(populate_existing=True)
    )
    return found.first()


async def find_account_by_unionid(tx: Tx, brand_id: UUID, unionid: str) -> WechatAccount | None:
    """The oldest account that WeChat says is this person's."""
    found = await tx.session.exec(
        select(WechatAccount)
        .where(col(WechatAccount.brand_id) == brand_id, col(WechatAccount.unionid) == unionid)
        .order_by(col(WechatAccount.created_at), col(WechatAccount.app_id))
        .limit(1)
    )
    return found.first()


async def set_unionid(tx: Tx, account: WechatAccount, unionid: str) -> None:
    """Note the unionid that WeChat gave later than the openid."""
    await tx.session.exec(
        update(WechatAccount)
        .where(
            col(WechatAccount.brand_id) == account.brand_id,
            col(WechatAccount.app_id) == account.app_id,
            col(WechatAccount.openid) == account.openid,
        )
        .values(unionid=unionid)
        .execution_options(synchronize_session=False)
    )
