"""Pure: how amounts are said in messages, and how a message to a gateway is signed."""

import base64
import hashlib
import hmac


def spoken_amount(asset: str, amount: int, names: tuple[str, str] | None = None) -> tuple[str, str]:
    """An amount of an asset in words, zh and en; CASH is in fen. ``names`` are those of a brand's
    own asset; ValueError for one without."""
    if asset == "CASH":
        yuan = f"{amount // 100}.{amount % 100:02}"
        return f"{yuan}元红包", f"The red packet of ¥{yuan}"
    if asset == "POINTS":
        return f"{amount}积分", f"The reward of {amount} points"
    if asset == "GROWTH":
        return f"{amount}成长值", f"The reward of {amount} growth"
    if asset == "CHANCES":
        return f"{amount}次抽奖机会", f"The reward of {amount} draws"
    if names is None:
        raise ValueError(f"no words for the asset {asset!r}")
    return f"{amount}{names[0]}", f"The reward of {amount} {names[1]}"


def webhook_signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """A signature as Standard Webhooks has it: ``v1,`` and base64 of the HMAC-SHA256 over
    ``id.timestamp.body``."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(secret, signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"
