"""Pure: what a key looks like, and what is refused of one."""

import base64
import hashlib
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from loyalty.actor import Scope
from loyalty.errors import InvalidInput

KEYS_MAX = 50
"""Of a brand that are not revoked."""
NAME_LENGTH_MAX = 100
NETWORKS_MAX = 50
NETWORK_LENGTH_MAX = 50
OVERLAP_SECONDS_MAX = 30 * 86_400
REQUESTS_PER_MINUTE_MAX = 60_000
PREFIX = "lpk_"
SECRET_BYTES = 32
_MAPPED = IPv6Network("::ffff:0:0/96")
_LENGTH = len(PREFIX) + 43
_START_LENGTH = len(PREFIX) + 6


def key_of(secret: bytes) -> str:
    """``SECRET_BYTES`` random bytes behind the prefix that tells a key from a token."""
    return PREFIX + base64.urlsafe_b64encode(secret).decode().rstrip("=")


def start_of(key: str) -> str:
    """What a key is told by, once nobody can see it any more."""
    return key[:_START_LENGTH]


def looks_like_key(bearer: str) -> bool:
    """Whether it is worth a look-up."""
    return len(bearer) == _LENGTH and bearer.startswith(PREFIX)


def hash_of(key: str) -> str:
    """What is stored: nobody guesses 256 random bits, so a plain hash keeps them."""
    return hashlib.sha256(key.encode()).hexdigest()


def check_scopes(scopes: Sequence[Scope]) -> list[str]:
    """Sorted, each once; InvalidInput for none."""
    if not scopes:
        raise InvalidInput(field="scopes", problem="at least one")
    return sorted({scope.value for scope in scopes})


def check_networks(networks: Sequence[str]) -> list[str]:
    """CIDRs as they are stored: 203.0.113.0/24, 2001:db8::/32, one address as its own network.
    InvalidInput names the first that is none."""
    if len(networks) > NETWORKS_MAX:
        raise InvalidInput(field="networks", problem=f"up to {NETWORKS_MAX}")
    found = []
    for index, text in enumerate(networks):
        try:
            if len(text) > NETWORK_LENGTH_MAX:
                raise ValueError(text)
            found.append(str(_plain(ip_network(text))))
        except ValueError:
            raise InvalidInput(
                field=f"networks.{index}", problem="a network: 203.0.113.0/24"
            ) from None
    return sorted(set(found))


def _plain(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """IPv4 in IPv6's clothes (::ffff:203.0.113.0/120) as what it is: as addresses are compared."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return IPv4Network((int(mapped or 0), network.prefixlen - 96))
    return network


def check_rate(requests_per_minute: int) -> int:
    if not 1 <= requests_per_minute <= REQUESTS_PER_MINUTE_MAX:
        raise InvalidInput(field="requestsPerMinute", problem=f"1 to {REQUESTS_PER_MINUTE_MAX}")
    return requests_per_minute


def is_from(address: str, networks: Sequence[str]) -> bool:
    """Whether an address is in one of the networks; without any, every address is. An IPv4
    address that comes in IPv6's clothes (::ffff:203.0.113.7) is the IPv4 one."""
    if not networks:
        return True
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in ip_network(network) for network in networks)
