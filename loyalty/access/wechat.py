"""WeChat's side of signing in (微信登录): the one call that turns a mini-program's ``js_code`` into
who that is. A fifth file, since it speaks HTTP.
https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html

The call is a GET whose address holds the app's secret, and whose reply holds a session key:
neither the address nor the reply is ever logged, and of the reply nothing but the ids is kept.
"""

import json
import logging
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx2
import structlog

from loyalty.access.rules import is_wechat_code
from loyalty.errors import ProviderUnavailable, WechatBlocked, WechatCodeWrong
from loyalty.outbound import Outbound, ReplyTooLong
from loyalty.text import is_clean

PROVIDER = "WeChat"
PATH = "/sns/jscode2session"
ID_LENGTH_MAX = 128
BUSY_SECONDS = 60

_CODES_WRONG = {40029, 40163}  # invalid; used before
_BUSY = -1
_TOO_OFTEN = 45011
_BLOCKED = 40226
_APP_WRONG = {40013, 40125}  # no such app id; not its secret

log = structlog.get_logger("wechat")
logging.getLogger("httpx2").setLevel(logging.WARNING)  # at INFO it writes whole addresses


class WechatThrottled(Exception):
    """WeChat has been asked too often about this person; it forgets by the minute."""

    retry_after_seconds = BUSY_SECONDS


@dataclass(frozen=True, slots=True)
class WechatUser:
    """Who somebody is to one mini-program, and, if WeChat says so, to all apps of one owner."""

    openid: str = field(repr=False)
    unionid: str | None = field(repr=False)


class WechatClient:
    """One per process. Nothing it does takes longer than ``timeout_seconds``."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        self._url = url.rstrip("/")
        self._outbound = Outbound(timeout_seconds)

    async def identify(self, app_id: str, secret: str, code: str) -> WechatUser:
        """Who gave the mini-program this code. Call it outside of any transaction.

        WechatCodeWrong: wrong, expired or used. WechatBlocked: WeChat takes the account for a
        danger. WechatThrottled: too often. ProviderUnavailable: no answer in time, or none that
        makes sense.
        """
        if not is_wechat_code(code):
            raise WechatCodeWrong()
        asked = {
            "appid": app_id,
            "secret": secret,
            "js_code": code,
            "grant_type": "authorization_code",
        }
        return _user_of(await self._ask(app_id, f"{self._url}{PATH}?{urlencode(asked)}"), app_id)

    async def _ask(self, app_id: str, url: str) -> dict[str, Any]:
        try:
            reply = await self._outbound.send("GET", url, {})
        except (httpx2.HTTPError, httpx2.InvalidURL, ReplyTooLong, TimeoutError) as error:
            # Only its kind: the text of an error may hold the address.
            raise _unavailable(app_id, "no answer", kind=type(error).__name__) from None
        try:
            told = json.loads(reply.body) if reply.status == httpx2.codes.OK else None
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise _unavailable(app_id, "not an answer", status=reply.status)
        return told

    async def close(self) -> None:
        await self._outbound.close()


def _user_of(reply: dict[str, Any], app_id: str) -> WechatUser:
    errcode = reply.get("errcode", 0)
    if type(errcode) is not int:
        raise _unavailable(app_id, "not an answer")
    if errcode in _CODES_WRONG:
        raise WechatCodeWrong()
    if errcode == _BLOCKED:
        raise WechatBlocked()
    if errcode == _TOO_OFTEN:
        raise WechatThrottled
    if errcode == _BUSY:
        raise _unavailable(app_id, "busy", errcode=errcode)
    if errcode in _APP_WRONG:
        log.error("WeChat does not know this app by its secret", app_id=app_id, errcode=errcode)
        raise ProviderUnavailable(provider=PROVIDER)
    if errcode != 0:
        raise _unavailable(app_id, "an error we do not know", errcode=errcode)
    openid, unionid = _id_of(reply.get("openid")), reply.get("unionid") or None
    if openid is None or (unionid is not None and _id_of(unionid) is None):
        raise _unavailable(app_id, "not an answer")
    return WechatUser(openid, unionid)


def _id_of(value: Any) -> str | None:
    if isinstance(value, str) and 1 <= len(value) <= ID_LENGTH_MAX and is_clean(value):
        return value
    return None


def _unavailable(app_id: str, what: str, **details: Any) -> ProviderUnavailable:
    log.warning("WeChat sign-in failed", app_id=app_id, what=what, **details)
    return ProviderUnavailable(provider=PROVIDER)
