"""Tokens: what is ours and alive names its caller; every trick names nobody."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwe, jwt
from joserfc.jwk import OctKey, RSAKey

from loyalty.access.tokens import TokenIssuer
from loyalty.actor import CLERK_ROLE, GRANTS_BY_ROLE, Actor, ActorKind, OperatorRole, system_actor
from loyalty.ids import new_id

SECRET = bytes(range(32))
TTL_SECONDS = 3600
NOW = datetime(2026, 11, 9, 4, 0, tzinfo=UTC)
CONSUMER = Actor(ActorKind.MEMBER, new_id(), new_id(), "CONSUMER")
CLERK = Actor(ActorKind.CLERK, new_id(), new_id(), CLERK_ROLE, place_id=new_id(), till_id=new_id())


@pytest.fixture
def issuer() -> TokenIssuer:
    return TokenIssuer(SECRET, TTL_SECONDS)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a live consumer's token, some changed; None takes one away."""
    made: dict[str, Any] = {
        "aud": "loyalty",
        "brand": CONSUMER.brand_id.hex,
        "kind": "MEMBER",
        "role": "CONSUMER",
        "sub": CONSUMER.id.hex,
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + TTL_SECONDS,
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def signed(
    header: Any, body: Any, secret: bytes = SECRET, digest: Callable[..., Any] = hashlib.sha256
) -> str:
    """Whatever one likes, signed with HMAC."""
    message = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(body).encode())}"
    return f"{message}.{b64(hmac.new(secret, message.encode(), digest).digest())}"


HEADER = {"alg": "HS256", "typ": "JWT"}


# --- ours --------------------------------------------------------------------------------------


def test_a_member_a_clerk_and_every_operator_come_back_as_they_were(issuer: TokenIssuer) -> None:
    operators = [
        Actor(ActorKind.OPERATOR, new_id(), new_id(), role.value, GRANTS_BY_ROLE[role])
        for role in OperatorRole
    ]
    for actor in (CONSUMER, CLERK, *operators):
        token = issuer.issue(actor, NOW)
        assert issuer.verify(token, NOW) == actor
        assert issuer.verify(token, NOW) == actor  # now from memory
        assert TokenIssuer(SECRET, 60).verify(token, NOW) == actor


def test_the_hand_made_token_of_these_tests_is_accepted(issuer: TokenIssuer) -> None:
    assert issuer.verify(signed(HEADER, claims()), NOW) == CONSUMER


def test_grants_follow_the_role_and_not_the_token(issuer: TokenIssuer) -> None:
    viewer = Actor(
        ActorKind.OPERATOR, new_id(), new_id(), "VIEWER", GRANTS_BY_ROLE[OperatorRole.ADMIN]
    )
    seen = issuer.verify(issuer.issue(viewer, NOW), NOW)
    assert seen is not None
    assert seen.grants == GRANTS_BY_ROLE[OperatorRole.VIEWER]
    assert issuer.verify(signed(HEADER, claims(grants=["ledger"])), NOW) is None


def test_the_system_gets_no_token(issuer: TokenIssuer) -> None:
    with pytest.raises(ValueError):
        issuer.issue(system_actor(new_id()), NOW)
    assert issuer.verify(signed(HEADER, claims(kind="SYSTEM", role="SYSTEM")), NOW) is None


def test_a_clerk_without_a_till_gets_no_token(issuer: TokenIssuer) -> None:
    for lacking in (replace(CLERK, place_id=None), replace(CLERK, till_id=None)):
        with pytest.raises(ValueError):
            issuer.issue(lacking, NOW)


def clerk_claims(**changed: Any) -> dict[str, Any]:
    """The claims of a live clerk's token, some changed; None takes one away."""
    assert CLERK.place_id is not None and CLERK.till_id is not None
    own = {"brand": CLERK.brand_id.hex, "sub": CLERK.id.hex, "kind": "CLERK", "role": "CLERK"}
    at = {"place": CLERK.place_id.hex, "till": CLERK.till_id.hex}
    return claims(**(own | at | changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"till": None},
        {"place": None},
        {"till": "till 1"},
        {"place": 7},
        {"till": []},
        {"till": {}},
        {"place": ""},
        {"role": "ADMIN"},
        {"role": "CONSUMER"},
        {"role": None},
        {"role": ["CLERK"]},
        {"kind": "MEMBER"},
        {"kind": "MEMBER", "role": "CONSUMER"},
        {"kind": "OPERATOR", "role": "ADMIN"},
        {"kind": "SYSTEM"},
        {"kind": "clerk"},
        {"kind": ["CLERK"]},
        {"grants": ["ledger"]},
    ],
)
def test_a_clerks_claims_are_exactly_till_and_place_and_nobody_elses(
    issuer: TokenIssuer, changed: dict[str, Any]
) -> None:
    assert issuer.verify(signed(HEADER, clerk_claims()), NOW) == CLERK
    assert issuer.verify(signed(HEADER, clerk_claims(**changed)), NOW) is None


# --- time --------------------------------------------------------------------------------------


def test_a_token_expires_also_in_memory(issuer: TokenIssuer) -> None:
    token = issuer.issue(CONSUMER, NOW)
    end = NOW + timedelta(seconds=TTL_SECONDS)
    assert issuer.verify(token, end - timedelta(seconds=1)) == CONSUMER
    assert issuer.verify(token, end) is None
    assert TokenIssuer(SECRET, TTL_SECONDS).verify(token, end) is None


def test_a_token_from_the_future_is_refused(issuer: TokenIssuer) -> None:
    token = issuer.issue(CONSUMER, NOW + timedelta(seconds=61))
    assert issuer.verify(token, NOW) is None
    assert issuer.verify(issuer.issue(CONSUMER, NOW + timedelta(seconds=30)), NOW) == CONSUMER


# --- attacks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None])
def test_unsigned_tokens_are_refused(issuer: TokenIssuer, algorithm: str | None) -> None:
    head = b64(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    body = b64(json.dumps(claims()).encode())
    ours = issuer.issue(CONSUMER, NOW)
    for signature in ("", ours.rpartition(".")[2]):
        assert issuer.verify(f"{head}.{body}.{signature}", NOW) is None
    assert issuer.verify(f"{head}.{body}", NOW) is None


def test_other_algorithms_with_our_secret_are_refused(issuer: TokenIssuer) -> None:
    for name, digest in (("HS384", hashlib.sha384), ("HS512", hashlib.sha512)):
        assert issuer.verify(signed(HEADER | {"alg": name}, claims(), digest=digest), NOW) is None
        # The header says HS256, the signature is another's.
        assert issuer.verify(signed(HEADER, claims(), digest=digest), NOW) is None


def test_a_public_key_is_no_secret_and_a_key_pair_no_signer(issuer: TokenIssuer) -> None:
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public_pem = pair.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private_pem = pair.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    by_pair = jwt.encode(
        {"alg": "RS256", "typ": "JWT"}, claims(), RSAKey.import_key(private_pem), ["RS256"]
    )
    assert issuer.verify(by_pair, NOW) is None
    assert issuer.verify(signed(HEADER, claims(), secret=public_pem), NOW) is None
    assert issuer.verify(signed(HEADER | {"alg": "RS256"}, claims()), NOW) is None


@pytest.mark.parametrize(
    "trick",
    [
        {"kid": "../../dev/null"},
        {"kid": "' UNION SELECT 'x"},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"jwk": {"kty": "oct", "k": b64(b"x" * 32)}},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"cty": "JWT"},
        {"zip": "DEF"},
        {"typ": "at+jwt"},
        {"alg": "hs256"},
        {"alg": ["HS256"]},
    ],
)
def test_a_header_that_says_more_is_refused(issuer: TokenIssuer, trick: dict[str, Any]) -> None:
    for secret in (SECRET, b"", b"x" * 32):
        assert issuer.verify(signed(HEADER | trick, claims(), secret=secret), NOW) is None


@pytest.mark.parametrize("secret", [b"", b"\x00" * 32, SECRET[:-1], SECRET + b"\x00x", b"secret"])
def test_another_secret_signs_nothing(issuer: TokenIssuer, secret: bytes) -> None:
    assert issuer.verify(signed(HEADER, claims(), secret=secret), NOW) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "other"},
        {"aud": ["loyalty"]},
        {"aud": None},
        {"brand": None},
        {"brand": "not-a-uuid"},
        {"brand": 7},
        {"sub": None},
        {"sub": ["x"]},
        {"kind": "KING"},
        {"kind": None},
        {"kind": {}},
        {"role": "ADMIN"},
        {"role": None},
        {"role": []},
        {"kind": "OPERATOR"},
        {"iat": None},
        {"iat": "0"},
        {"iat": 1.5},
        {"exp": None},
        {"exp": "9999999999"},
        {"exp": True},
        {"exp": 1e300},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 2**70},
        {"exp": 0},
        {"exp": -1},
        {"nbf": 0},
        {"place": new_id().hex},
        {"till": new_id().hex},
        {"place": new_id().hex, "till": new_id().hex},
        {"kind": "CLERK", "role": "CLERK"},
        {"role": "CLERK", "place": new_id().hex, "till": new_id().hex},
        {"admin": True},
    ],
)
def test_claims_that_are_not_exactly_ours_are_refused(
    issuer: TokenIssuer, changed: dict[str, Any]
) -> None:
    assert issuer.verify(signed(HEADER, claims(**changed)), NOW) is None


@pytest.mark.parametrize("body", [[], "x", None, 1, [claims()], {}])
def test_a_body_that_is_no_claims_set_is_refused(issuer: TokenIssuer, body: Any) -> None:
    assert issuer.verify(signed(HEADER, body), NOW) is None


@pytest.mark.parametrize("header", [[], "x", None, 1, {}])
def test_a_header_that_is_no_header_is_refused(issuer: TokenIssuer, header: Any) -> None:
    assert issuer.verify(signed(header, claims()), NOW) is None


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "ey.ey.ey",
        "\x00",
        "\ud800",
        "令牌",
        " ",
        "a" * 5000,
        "=.=.=",
        "Bearer x",
        "[" * 4000,
        "{}" * 1000,
        "." * 4000,
    ],
)
def test_what_is_no_token_is_refused(issuer: TokenIssuer, malformed: str) -> None:
    assert issuer.verify(malformed, NOW) is None


def test_deeply_nested_json_is_refused(issuer: TokenIssuer) -> None:
    message = f"{b64(json.dumps(HEADER).encode())}.{b64(b'[' * 2800)}"
    signature = b64(hmac.digest(SECRET, message.encode(), hashlib.sha256))
    assert issuer.verify(f"{message}.{signature}", NOW) is None


def test_every_changed_character_is_noticed(issuer: TokenIssuer) -> None:
    token = issuer.issue(CONSUMER, NOW)
    for i, letter in enumerate(token[:-1]):  # the last one carries unused bits
        changed = token[:i] + ("A" if letter != "A" else "B") + token[i + 1 :]
        assert issuer.verify(changed, NOW) is None
    assert issuer.verify(token + "A", NOW) is None
    assert issuer.verify(f"{token}.", NOW) is None


def test_more_than_four_kilobytes_are_refused(issuer: TokenIssuer) -> None:
    body = json.dumps(claims()) + " " * 3000
    message = f"{b64(json.dumps(HEADER).encode())}.{b64(body.encode())}"
    token = f"{message}.{b64(hmac.digest(SECRET, message.encode(), hashlib.sha256))}"
    assert len(token) > 4096
    assert issuer.verify(token, NOW) is None


def test_an_encrypted_token_is_refused(issuer: TokenIssuer) -> None:
    encrypted = jwe.encrypt_compact(
        {"alg": "dir", "enc": "A256GCM"}, json.dumps(claims()), OctKey.import_key(SECRET)
    )
    assert issuer.verify(encrypted, NOW) is None


# --- memory ------------------------------------------------------------------------------------


def test_memory_is_bounded_and_keeps_what_is_used() -> None:
    issuer = TokenIssuer(SECRET, TTL_SECONDS, verified_max=10)
    used = issuer.issue(CONSUMER, NOW)
    for _ in range(50):
        other = Actor(ActorKind.MEMBER, new_id(), new_id(), "CONSUMER")
        assert issuer.verify(issuer.issue(other, NOW), NOW) == other
        assert issuer.verify(used, NOW) == CONSUMER
        assert len(issuer._verified) <= 10
    assert used in issuer._verified


def test_refused_tokens_are_not_remembered(issuer: TokenIssuer) -> None:
    issuer.verify("a.b.c", NOW)
    issuer.verify(signed(HEADER, claims(exp=0)), NOW)
    assert len(issuer._verified) == 0


def test_a_remembered_token_costs_microseconds(issuer: TokenIssuer) -> None:
    token = issuer.issue(CONSUMER, NOW)
    issuer.verify(token, NOW)
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(1000):
            issuer.verify(token, NOW)
        best = min(best, (time.perf_counter() - start) / 1000)
    assert best < 20e-6  # some 0.3 microseconds on an idle machine
