"""Who may enrol and invite, and what a phone number is."""

import re
from calendar import monthrange

import phonenumbers

from loyalty.actor import MemberRole
from loyalty.errors import InvalidInput, MemberClosed, MemberFrozen, NotFound
from loyalty.members.models import Member

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


def check_active(member: Member | None) -> Member:
    """The member, if value may come to it and go from it. Refuses NotFound (member), MemberFrozen
    and MemberClosed."""
    if member is None:
        raise NotFound(noun="member")
    if member.status == "FROZEN":
        raise MemberFrozen()
    if member.status != "ACTIVE":
        raise MemberClosed()
    return member


def check_birthday(month: int, day: int) -> str:
    """``MM-DD`` of a day that some year has."""
    if not 1 <= month <= 12:
        raise InvalidInput(field="month", problem="1 to 12")
    days = monthrange(2024, month)[1]  # a leap year
    if not 1 <= day <= days:
        raise InvalidInput(field="day", problem=f"1 to {days}")
    return f"{month:02}-{day:02}"


def inheritance(source: Member, target: Member) -> dict[str, object]:
    """What a member that takes another's place is told of from now on; nobody brought itself."""
    told: dict[str, object] = {
        name: getattr(source, name)
        for name in ("display_name", "birthday")
        if getattr(target, name) is None and getattr(source, name) is not None
    }
    if target.invited_by_id in (None, source.id):
        inviter_id = None if source.invited_by_id == target.id else source.invited_by_id
        if inviter_id != target.invited_by_id:
            told["invited_by_id"] = inviter_id
    return told
