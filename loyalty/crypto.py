"""Keys derived from the master key: what protects phones, addresses, device ids, secrets and the
code keys at rest."""

import base64
import hashlib
import hmac
import os
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class Keyring:
    """One per process, made from ``Settings.master_key``; derives one key per use."""

    def __init__(self, master_key: bytes) -> None:
        def derive(use: bytes) -> bytes:
            return hmac.digest(master_key, b"loyalty/" + use, hashlib.sha256)

        self._lookup_key = derive(b"lookup")
        self._phone_cipher = AESGCM(derive(b"phone"))
        self._delivery_cipher = AESGCM(derive(b"delivery"))
        self._wrap_cipher = AESGCM(derive(b"wrap"))
        self._secret_cipher = AESGCM(derive(b"secret"))
        self._seed_cipher = AESGCM(derive(b"seed"))
        self._match_key = derive(b"match")

    def lookup_hash(self, brand_id: UUID, kind: str, value: str) -> str:
        """A keyed hash to find a value by without keeping it; ``kind`` says what
        the value is: phone, device, code, refresh, body."""
        message = b"\x00".join((brand_id.bytes, kind.encode(), value.encode()))
        return hmac.digest(self._lookup_key, message, hashlib.sha256)[:20].hex()

    def match_secret(self, agreement_id: UUID) -> str:
        """What the two sides of an agreement make one-way tokens of members with: both may read
        it, and nobody else. Kept nowhere."""
        digest = hmac.digest(self._match_key, agreement_id.bytes, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def encrypt_phone(self, brand_id: UUID, phone: str) -> str:
        """AES-GCM, bound to the brand."""
        return _seal(self._phone_cipher, phone.encode(), brand_id.bytes)

    def decrypt_phone(self, brand_id: UUID, cipher: str) -> str:
        return _open(self._phone_cipher, cipher, brand_id.bytes).decode()

    def encrypt_delivery(self, brand_id: UUID, delivery: str) -> str:
        """Where something is to be sent: AES-GCM, bound to the brand."""
        return _seal(self._delivery_cipher, delivery.encode(), brand_id.bytes)

    def decrypt_delivery(self, brand_id: UUID, cipher: str) -> str:
        return _open(self._delivery_cipher, cipher, brand_id.bytes).decode()

    def wrap_key(self, brand_id: UUID, key: bytes) -> str:
        """A code key under the master key, bound to the brand."""
        return _seal(self._wrap_cipher, key, brand_id.bytes)

    def unwrap_key(self, brand_id: UUID, wrapped: str) -> bytes:
        return _open(self._wrap_cipher, wrapped, brand_id.bytes)

    def seal_seed(self, brand_id: UUID, seed: bytes) -> str:
        """The seed of a day's draws, until it is revealed: AES-GCM, bound to the brand."""
        return _seal(self._seed_cipher, seed, brand_id.bytes)

    def open_seed(self, brand_id: UUID, sealed: str) -> bytes:
        return _open(self._seed_cipher, sealed, brand_id.bytes)

    def seal_secret(self, brand_id: UUID, secret: str) -> str:
        """A secret that we have to know in clear (a TOTP key, an app's secret): AES-GCM, bound to
        the brand."""
        return _seal(self._secret_cipher, secret.encode(), brand_id.bytes)

    def open_secret(self, brand_id: UUID, sealed: str) -> str:
        return _open(self._secret_cipher, sealed, brand_id.bytes).decode()


def mask_phone(phone: str) -> str:
    """``+86138****5678``: what people may see of a phone."""
    return f"{phone[:-8]}****{phone[-4:]}" if len(phone) > 8 else "****"


def _seal(cipher: AESGCM, plain: bytes, bound_to: bytes) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return base64.b64encode(nonce + cipher.encrypt(nonce, plain, bound_to)).decode()


def _open(cipher: AESGCM, sealed: str, bound_to: bytes) -> bytes:
    raw = base64.b64decode(sealed)
    return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound_to)
