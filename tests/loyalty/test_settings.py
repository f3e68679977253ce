"""Settings: what is wrong is said, and secrets are kept where only their owner reads them."""

import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from loyalty.settings import Settings, SettingsError, load_settings

SECRET = "ab" * 32


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("LOYALTY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def set_env(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"LOYALTY_{name.upper()}", value)


def test_without_any_setting_there_is_a_database_here_with_its_secrets(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.database_url == "sqlite:///loyalty.db"
    path = tmp_path / "loyalty.db.secrets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(settings.secret_bytes("token_secret")) == 32
    assert settings.secret_bytes("token_secret") != settings.secret_bytes("master_key")
    assert [name.name for name in tmp_path.iterdir()] == [path.name]  # no half-written file stays


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_settings()
    finally:
        os.umask(before)
    path = tmp_path / "loyalty.db.secrets.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_secrets_stay_the_same_from_start_to_start() -> None:
    first, second = load_settings(), load_settings()
    for name in ("token_secret", "master_key"):
        assert first.secret_bytes(name) == second.secret_bytes(name)


def _print_master_key(directory: str, answers: "multiprocessing.Queue[str]") -> None:
    os.chdir(directory)
    answers.put(load_settings().secret_bytes("master_key").hex())


def test_commands_that_start_together_agree_on_the_secrets(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[str] = context.Queue()
    children = [
        context.Process(target=_print_master_key, args=(str(tmp_path), answers)) for _ in range(8)
    ]
    for child in children:
        child.start()
    keys = {answers.get(timeout=30) for _ in children}
    for child in children:
        child.join()
    assert len(keys) == 1


def test_a_given_secret_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    made = load_settings()
    set_env(monkeypatch, master_key=SECRET)
    given = load_settings()
    assert given.secret_bytes("master_key") == bytes.fromhex(SECRET)
    assert given.secret_bytes("token_secret") == made.secret_bytes("token_secret")


def test_the_file_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secrets.json"
    set_env(monkeypatch, secrets_file=str(path))
    settings = load_settings()
    assert json.loads(path.read_text())["master_key"] == settings.secret_bytes("master_key").hex()


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_settings()
    path = tmp_path / "loyalty.db.secrets.json"
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        load_settings()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"master_key": "ab"}', "\udcff"])
def test_a_file_that_holds_no_secrets_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "loyalty.db.secrets.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=r"loyalty\.db\.secrets\.json"):
        load_settings()


def test_a_place_that_cannot_keep_secrets_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    set_env(monkeypatch, secrets_file=str(tmp_path / "file" / "secrets.json"))
    with pytest.raises(SettingsError, match="cannot keep secrets in"):
        load_settings()


def test_postgresql_needs_its_secrets_and_gets_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_env(monkeypatch, database_url="postgresql://localhost/loyalty")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "LOYALTY_TOKEN_SECRET and LOYALTY_MASTER_KEY must be set" in str(refused.value)
    assert "secrets.token_hex(32)" in str(refused.value)
    set_env(monkeypatch, token_secret=SECRET)
    with pytest.raises(SettingsError, match=r"^LOYALTY_MASTER_KEY must be set"):
        load_settings()
    set_env(monkeypatch, master_key=SECRET)
    assert not load_settings().is_sqlite
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "database_url",
            "mysql://localhost/loyalty",
            "must start with sqlite:/// or postgresql://",
        ),
        ("database_url", "loyalty.db", "is not a database URL"),
        ("database_url", "", "is not a database URL"),
        ("database_url", "sqlite://", "needs a file"),
        ("database_url", "sqlite:///:memory:", "needs a file"),
        ("redis_url", "localhost:6379", "must start with redis://"),
        ("wechat_api_url", "api.weixin.qq.com", "must start with https://"),
        ("token_secret", "not hexadecimal", "must be hexadecimal"),
        ("token_secret", "ab" * 31, "must be at least 32 bytes"),
        ("master_key", "", "must be at least 32 bytes"),
        ("port", "65536", "less than or equal to 65535"),
        ("port", "http", "valid integer"),
        ("token_ttl_seconds", "1", "greater than or equal to 60"),
        ("outbox_poll_seconds", "0", "greater than 0"),
        ("graphiql", "maybe", "valid boolean"),
        ("log_format", "xml", "'console' or 'json'"),
    ],
)
def test_a_wrong_value_is_named_and_explained(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    set_env(monkeypatch, **{name: value})
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert str(refused.value).startswith(f"LOYALTY_{name.upper()}: ")
    assert said in str(refused.value)


def test_all_wrong_values_are_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_env(monkeypatch, port="x", log_level="LOUD")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "LOYALTY_PORT",
        "LOYALTY_LOG_LEVEL",
    ]


def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    set_env(monkeypatch, master_key="planted-secret")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "planted" not in str(refused.value)


def test_settings_do_not_show_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    set_env(monkeypatch, master_key=SECRET, token_secret=SECRET)
    assert SECRET not in repr(load_settings())


def test_a_secret_that_is_missing_is_not_empty() -> None:
    with pytest.raises(SettingsError, match="LOYALTY_MASTER_KEY is not set"):
        Settings().secret_bytes("master_key")


PAYOUT = {"payout_url": "https://pay.example/v1", "payout_secret": "s" * 32}
GATEWAY = {"notification_url": "https://gateway.example"}
STANDARD = "whsec_" + "QUJD" * 8


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"payout_provider": "http"}, "PAYOUT_PROVIDER: http needs LOYALTY_PAYOUT_URL"),
        (
            {"payout_provider": "http", "payout_url": PAYOUT["payout_url"]},
            "PAYOUT_PROVIDER: http needs LOYALTY_PAYOUT_SECRET",
        ),
        ({"payout_url": "http://pay.example"}, "PAYOUT_URL: must start with https://"),
        ({"payout_url": "ftp://localhost"}, "PAYOUT_URL: must start with https://"),
        ({"payout_url": "https://"}, "PAYOUT_URL: must start with https://"),
        ({"payout_secret": "s" * 31}, "PAYOUT_SECRET: must have at least 32 characters"),
        ({"payout_timeout_seconds": "6"}, "PAYOUT_TIMEOUT_SECONDS: "),
        (GATEWAY, "NOTIFICATION_URL: needs LOYALTY_NOTIFICATION_SECRET"),
        (GATEWAY | {"notification_secret": "QUJD" * 8}, "NOTIFICATION_SECRET: must be whsec_"),
        (GATEWAY | {"notification_secret": "whsec_QUJD"}, "NOTIFICATION_SECRET: must be whsec_"),
        (GATEWAY | {"notification_secret": "whsec_é"}, "NOTIFICATION_SECRET: must be whsec_"),
    ],
)
def test_a_provider_is_set_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], said: str
) -> None:
    set_env(monkeypatch, **values)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert f"LOYALTY_{said}" in str(refused.value)
    assert "ssss" not in str(refused.value)


def test_providers_that_are_set_whole_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    set_env(monkeypatch, payout_provider="http", **PAYOUT, **GATEWAY, notification_secret=STANDARD)
    settings = load_settings()
    assert settings.payout_url == PAYOUT["payout_url"]
    assert settings.notification_url == GATEWAY["notification_url"]
    assert STANDARD not in repr(settings)
    set_env(monkeypatch, payout_url="http://[::1]:8080", notification_url="http://localhost:1")
    assert load_settings().payout_url == "http://[::1]:8080"
