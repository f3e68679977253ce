"""Who may enrol and invite, and what a phone number is."""

import re

import phonenumbers

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput

EXTERNAL_REF_LENGTH_MAX = 128
NAME_LENGTH_MAX = 100
ROSTER_ENTRIES_MAX = 1000

INVITING_ROLES = frozenset(
    {MemberRole.CONSUMER, MemberRole.GUIDE, MemberRole.STORE, MemberRole.SALESPERSON}
)
_WRITTEN_PHONE = re.compile(r"[+＋]?[0-9０-９()（） .\-]{5,30}")


def normalise_phone(text: str, default_region: str = "CN") -> str:
    """A phone number as people write it, in E.164 (+8613800138000); InvalidInput if it is none."""
    if _WRITTEN_PHONE.fullmatch(text):
        try:
            number = phonenumbers.parse(text, default_region)
        except phonenumbers.NumberParseException:
            number = None
        if number is not None and phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    raise InvalidInput(field="phone", problem="a phone number such as +86 138 0013 8000")


def needs_roster(role: MemberRole) -> bool:
    """Consumers come freely; every channel role is admitted by its roster (名册)."""
    return role is not MemberRole.CONSUMER
