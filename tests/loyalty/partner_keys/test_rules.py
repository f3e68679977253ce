"""From where a key is good."""

import pytest

from loyalty.partner_keys.rules import check_networks, is_from


def test_an_ipv4_address_is_one_however_it_is_written() -> None:
    networks = check_networks(["::ffff:203.0.113.0/120", "2001:db8::/32"])
    assert networks == ["2001:db8::/32", "203.0.113.0/24"]
    for address in ("203.0.113.7", "::ffff:203.0.113.7", "2001:db8::1"):
        assert is_from(address, networks), address
    for address in ("203.0.114.7", "::ffff:203.0.114.7", "2001:db9::1", "testclient"):
        assert not is_from(address, networks), address


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "::ffff:0:0/96"])
def test_networks_of_all_there_are_stay_what_they_are(network: str) -> None:
    assert check_networks([network]) == [{"::ffff:0:0/96": "0.0.0.0/0"}.get(network, network)]
