"""From what a client sends to a request the batcher can settle: recognising codes, checking
claims of the client, hashing what is not to be kept in clear."""

import asyncio
import math
import time
from dataclasses import dataclass
from uuid import UUID

from loyalty.actor import Actor
from loyalty.codes.rules import CodeKey, normalise, recognise, split
from loyalty.codes.service import load_keys
from loyalty.crypto import Keyring
from loyalty.db import Database
from loyalty.errors import InvalidInput
from loyalty.idempotency import body_hash, check_key
from loyalty.ids import new_id
from loyalty.text import checked_text
from rewards.scans.batcher import ScanBatcher
from rewards.scans.items import CodeNamed
from rewards.scans.world import ScanReply, ScanRequest

CODE_LENGTH_MAX = 512
DEVICE_ID_LENGTH_MAX = 128
SCENE_LENGTH_MAX = 64
NONCE_LENGTH_MAX = 64
KEYS_RELOAD_SECONDS = 1.0
KEYS_RELOADS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Position:
    """Where the client says it is, in degrees (WGS 84). A claim, never proof."""

    latitude: float
    longitude: float


class ScanIntake:
    """One per process: holds the code keys, and hands scans to the batcher."""

    def __init__(self, db: Database, keyring: Keyring, batcher: ScanBatcher) -> None:
        self._db = db
        self._keyring = keyring
        self._batcher = batcher
        self._keys: dict[str, CodeKey] = {}
        self._reloading = asyncio.Lock()
        self._reloaded_at = -math.inf
        self._unknown_at_reload: set[str] = set()
        self._reloads_paid_until = -math.inf

    async def recognise(self, brand_id: UUID, text: str) -> CodeNamed | None:
        """What a text says, if it is a code of this brand. Forgeries, misreads and other brands'
        codes are all None; an unknown key id looks for new keys, ten times at once and then once
        a second, for which whoever comes meanwhile waits."""
        if len(text) > CODE_LENGTH_MAX:
            return None
        found = recognise(self._keys, text)
        parts = split(text) if found is None else None
        if parts is not None and not self._is_settled(parts[0]):
            await self._reload_for(parts[0])
            found = recognise(self._keys, text)
        if found is None or found[0].brand_id != brand_id:
            return None
        return CodeNamed(found[0].epoch_id, found[1], found[2])

    def _is_settled(self, key_id: str) -> bool:
        """Whether the key is known, or was just looked for."""
        age_seconds = time.monotonic() - self._reloaded_at
        just_missed = key_id in self._unknown_at_reload and age_seconds < KEYS_RELOAD_SECONDS
        return key_id in self._keys or just_missed

    async def _reload_for(self, key_id: str) -> None:
        # A genuine code is never refused because others guess key ids: whoever comes between two
        # looks waits for the next, at most a second, and one look answers all who wait for it.
        came_at = time.monotonic()
        async with self._reloading:
            if key_id not in self._keys and self._reloaded_at < came_at:
                await self._reload()
            if key_id not in self._keys:
                self._unknown_at_reload.add(key_id)

    async def _reload(self) -> None:
        now = time.monotonic()
        window = KEYS_RELOADS_AT_ONCE * KEYS_RELOAD_SECONDS
        paid_until = max(self._reloads_paid_until, now - window) + KEYS_RELOAD_SECONDS
        if paid_until > now:  # guesses do not get to read the database each time
            await asyncio.sleep(paid_until - now)
        self._reloads_paid_until = paid_until
        begun_at = time.monotonic()
        async with self._db.snapshot() as snapshot:
            self._keys = await load_keys(snapshot, self._keyring)
        self._reloaded_at, self._unknown_at_reload = begun_at, set()

    async def scan(
        self,
        actor: Actor,
        *,
        code: str,
        idempotency_key: str,
        device_id: str | None,
        position: Position | None,
        scene: str | None,
        nonce: str | None,
        address: str,
    ) -> ScanReply:
        """Settle one scan. Refuses CodeUnknown, IdempotencyConflict and InvalidInput."""
        check_key(idempotency_key)
        device = _checked(device_id, "deviceId", DEVICE_ID_LENGTH_MAX)
        scene = _checked(scene, "scene", SCENE_LENGTH_MAX)
        nonce = _checked(nonce, "nonce", NONCE_LENGTH_MAX)
        place = _checked_position(position)
        recognised = await self.recognise(actor.brand_id, code)
        digest = body_hash(
            self._keyring,
            actor.brand_id,
            {
                "code": normalise(code[:CODE_LENGTH_MAX]),
                "device_id": device,
                "position": None if place is None else [place.latitude, place.longitude],
                "scene": scene,
                "nonce": nonce,
            },
        )
        request = ScanRequest(
            scan_id=new_id(),
            actor=actor,
            key_epoch_id=recognised.key_epoch_id if recognised else None,
            batch_number=recognised.batch_number if recognised else None,
            serial=recognised.serial if recognised else 0,
            idempotency_key=idempotency_key,
            body_hash=digest,
            device_hash=None
            if device is None
            else self._keyring.lookup_hash(actor.brand_id, "device", device),
            latitude=place.latitude if place else None,
            longitude=place.longitude if place else None,
            scene=scene,
            address=address,
            nonce=nonce,
        )
        return await self._batcher.submit(request)


def _checked(text: str | None, name: str, length_max: int) -> str | None:
    return None if text is None else checked_text(text, name, length_max=length_max)


def _checked_position(position: Position | None) -> Position | None:
    if position is None:
        return None
    # NaN fails both comparisons.
    if not (-90 <= position.latitude <= 90 and -180 <= position.longitude <= 180):
        raise InvalidInput(field="position", problem="degrees out of range")
    return Position(round(position.latitude, 4), round(position.longitude, 4))
