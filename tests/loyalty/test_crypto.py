"""The keyring: one key a use, bound to the brand, and nothing in clear."""

import base64

import pytest
from cryptography.exceptions import InvalidTag

from loyalty.crypto import Keyring, mask_phone
from loyalty.ids import new_id

PHONE = "+8613800138000"
BRAND, OTHER_BRAND = new_id(), new_id()


def test_a_phone_comes_back_and_is_not_in_its_cipher(keyring: Keyring) -> None:
    cipher = keyring.encrypt_phone(BRAND, PHONE)
    assert keyring.decrypt_phone(BRAND, cipher) == PHONE
    assert PHONE.encode() not in base64.b64decode(cipher)


def test_one_phone_has_another_cipher_each_time(keyring: Keyring) -> None:
    assert len({keyring.encrypt_phone(BRAND, PHONE) for _ in range(100)}) == 100


def test_a_cipher_is_bound_to_its_brand_its_use_and_its_key(keyring: Keyring) -> None:
    cipher = keyring.encrypt_phone(BRAND, PHONE)
    with pytest.raises(InvalidTag):
        keyring.decrypt_phone(OTHER_BRAND, cipher)
    with pytest.raises(InvalidTag):
        keyring.unwrap_key(BRAND, cipher)
    with pytest.raises(InvalidTag):
        Keyring(b"x" * 32).decrypt_phone(BRAND, cipher)


def test_a_secret_comes_back_to_its_brand_alone(keyring: Keyring) -> None:
    sealed = keyring.seal_secret(BRAND, "JBSWY3DPEHPK3PXP")
    assert keyring.open_secret(BRAND, sealed) == "JBSWY3DPEHPK3PXP"
    assert b"JBSWY3DPEHPK3PXP" not in base64.b64decode(sealed)
    with pytest.raises(InvalidTag):
        keyring.open_secret(OTHER_BRAND, sealed)
    with pytest.raises(InvalidTag):
        keyring.decrypt_phone(BRAND, sealed)


def test_a_changed_cipher_is_refused(keyring: Keyring) -> None:
    raw = bytearray(base64.b64decode(keyring.encrypt_phone(BRAND, PHONE)))
    for i in range(len(raw)):
        changed = bytes(raw[:i]) + bytes([raw[i] ^ 1]) + bytes(raw[i + 1 :])
        with pytest.raises(InvalidTag):
            keyring.decrypt_phone(BRAND, base64.b64encode(changed).decode())


def test_a_code_key_is_wrapped_and_unwrapped(keyring: Keyring) -> None:
    key = bytes(range(16))
    wrapped = keyring.wrap_key(BRAND, key)
    assert keyring.unwrap_key(BRAND, wrapped) == key
    with pytest.raises(InvalidTag):
        keyring.unwrap_key(OTHER_BRAND, wrapped)


def test_a_lookup_hash_finds_one_value_of_one_kind_in_one_brand(keyring: Keyring) -> None:
    found = keyring.lookup_hash(BRAND, "phone", PHONE)
    assert found == keyring.lookup_hash(BRAND, "phone", PHONE)
    others = {
        keyring.lookup_hash(OTHER_BRAND, "phone", PHONE),
        keyring.lookup_hash(BRAND, "device", PHONE),
        keyring.lookup_hash(BRAND, "phone", PHONE[:-1]),
        Keyring(b"x" * 32).lookup_hash(BRAND, "phone", PHONE),
    }
    assert len(others | {found}) == 5
    assert len(found) == 40


def test_a_mask_shows_four_digits_at_most_of_the_end() -> None:
    assert mask_phone(PHONE) == "+86138****8000"
    assert mask_phone("+1650253") == "****"
    assert mask_phone("") == "****"
