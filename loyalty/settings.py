"""Everything configurable, from the environment; ``docs/operations.md`` has the table.

On SQLite missing secrets are made once, into a file only its owner can read. On PostgreSQL they
must be given: several servers have to share them.
"""

import base64
import json
import os
import secrets
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

SECRET_BYTES = 32
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
WEBHOOK_SECRET_PREFIX = "whsec_"


class SettingsError(Exception):
    """The environment is not usable as it is; the message says what to change."""


class Settings(BaseSettings):
    """``LOYALTY_*`` variables. Times in seconds, sizes in what the name says."""

    model_config = SettingsConfigDict(env_prefix="LOYALTY_", extra="ignore")

    database_url: str = "sqlite:///loyalty.db"
    redis_url: str | None = None
    secrets_file: Path | None = None
    token_secret: SecretStr | None = None
    master_key: SecretStr | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    database_pool_size: int = Field(default=10, ge=2, le=200)
    scan_batch_size_max: int = Field(default=256, ge=1, le=1024)
    scan_writers_max: int = Field(default=2, ge=1, le=16)
    scan_queue_size_max: int = Field(default=4096, ge=1)
    token_ttl_seconds: int = Field(default=3600, ge=60)
    refresh_ttl_seconds: int = Field(default=30 * 86_400, ge=60)
    clerk_session_ttl_seconds: int = Field(default=12 * 3600, ge=60)
    sign_in_code_ttl_seconds: int = Field(default=300, ge=30)
    wechat_api_url: str = "https://api.weixin.qq.com"
    wechat_timeout_seconds: float = Field(default=5.0, gt=0, le=60)
    graphiql: bool = False
    introspection: bool = False
    trusted_documents_only: bool = False
    throttle: bool = True
    outbox_poll_seconds: float = Field(default=0.5, gt=0)
    # Not in the table of settings: tests that wait for a lease to lapse have it short.
    lease_seconds: float = Field(default=30, ge=1, le=600)
    payout_url: str | None = None
    payout_secret: SecretStr | None = None
    payout_provider: Literal["null", "http"] = "null"
    payout_timeout_seconds: float = Field(default=4, gt=0, le=5)
    payout_ask_seconds: float = Field(default=30, gt=0, le=3600)
    payout_retry_seconds: float = Field(default=3600, gt=0)
    notification_secret: SecretStr | None = None
    notification_url: str | None = None
    webhook_timeout_seconds: float = Field(default=5, gt=0, le=5)
    webhook_allow_private: bool = False
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, value: str) -> str:
        try:
            backend = make_url(value).get_backend_name()
        except ArgumentError as error:
            raise ValueError("is not a database URL") from error
        if backend not in ("sqlite", "postgresql"):
            raise ValueError("must start with sqlite:/// or postgresql://")
        if backend == "sqlite" and make_url(value).database in (None, "", ":memory:"):
            raise ValueError("needs a file: sqlite:///path/to/loyalty.db")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis_is_known(cls, value: str | None) -> str | None:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must start with redis://, rediss:// or unix://")
        return value or None

    @field_validator("wechat_api_url")
    @classmethod
    def _wechat_is_known(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value

    @field_validator("token_secret", "master_key")
    @classmethod
    def _secret_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                raw = bytes.fromhex(value.get_secret_value())
            except ValueError as error:
                raise ValueError("must be hexadecimal") from error
            if len(raw) < SECRET_BYTES:
                raise ValueError(f"must be at least {SECRET_BYTES} bytes in hexadecimal")
        return value

    @field_validator("payout_url", "notification_url")
    @classmethod
    def _provider_is_reached_safely(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        is_near = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
        if not parts.hostname or not (parts.scheme == "https" or is_near):
            raise ValueError("must start with https:// (http:// to this very host only)")
        return value

    @field_validator("payout_secret")
    @classmethod
    def _payout_secret_is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SECRET_BYTES:
            raise ValueError(f"must have at least {SECRET_BYTES} characters")
        return value

    @field_validator("notification_secret")
    @classmethod
    def _notification_secret_is_standard(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            encoded = value.get_secret_value().removeprefix(WEBHOOK_SECRET_PREFIX)
            try:
                raw = base64.b64decode(encoded, validate=True)
            except ValueError as error:
                raise ValueError("must be whsec_ and base64") from error
            if encoded == value.get_secret_value() or not 24 <= len(raw) <= 64:
                raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
        return value

    @field_validator("payout_provider")
    @classmethod
    def _payout_provider_is_whole(cls, value: str, others: ValidationInfo) -> str:
        if value == "http":
            for name in ("payout_url", "payout_secret"):
                if others.data.get(name) is None:
                    raise ValueError(f"http needs LOYALTY_{name.upper()}")
        return value

    @field_validator("notification_url")
    @classmethod
    def _notifications_are_signed(cls, value: str | None, others: ValidationInfo) -> str | None:
        if value is not None and others.data.get("notification_secret") is None:
            raise ValueError("needs LOYALTY_NOTIFICATION_SECRET")
        return value

    @property
    def is_sqlite(self) -> bool:
        return make_url(self.database_url).get_backend_name() == "sqlite"

    @property
    def scan_writers(self) -> int:
        """Batches under way at once. SQLite's writer is alone in any case."""
        return 1 if self.is_sqlite else self.scan_writers_max

    def secret_bytes(self, name: Literal["token_secret", "master_key"]) -> bytes:
        """A secret as bytes; ``load_settings`` has made sure that it is there."""
        value: SecretStr | None = getattr(self, name)
        if value is None:
            raise SettingsError(f"LOYALTY_{name.upper()} is not set")
        return bytes.fromhex(value.get_secret_value())


def load_settings() -> Settings:
    """Read and check the environment and complete the secrets; SettingsError says what is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            message = problem["msg"].removeprefix("Value error, ")
            lines.append(f"LOYALTY_{name}: {message}")
        raise SettingsError("\n".join(lines)) from error
    missing = [name for name in ("token_secret", "master_key") if getattr(settings, name) is None]
    if missing and settings.is_sqlite:
        _complete_from_file(settings)
    elif missing:
        names = " and ".join(f"LOYALTY_{name.upper()}" for name in missing)
        raise SettingsError(
            f"{names} must be set: with PostgreSQL several servers share them.\n"
            "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return settings


def _complete_from_file(settings: Settings) -> None:
    database = Path(make_url(settings.database_url).database or "loyalty.db")
    path = settings.secrets_file or database.with_name(database.name + ".secrets.json")
    try:
        if not path.exists():
            _make_secrets(path)
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"{path} can be read by others; run: chmod 600 {path}")
        stored = json.loads(path.read_bytes())
        for name in ("token_secret", "master_key"):
            if getattr(settings, name) is None:
                setattr(settings, name, Settings._secret_is_long(SecretStr(stored[name])))
    except OSError as error:
        raise SettingsError(f"cannot keep secrets in {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError):
        # Never made anew over a damaged file: what the old keys protect would be lost for good.
        raise SettingsError(f"{path} does not hold the secrets; restore it from a backup") from None


def _make_secrets(path: Path) -> None:
    # Written whole under another name, then linked: nobody ever reads half a file, and of two
    # commands that start together one wins.
    fresh = json.dumps({name: secrets.token_hex(32) for name in ("token_secret", "master_key")})
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(fresh)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
