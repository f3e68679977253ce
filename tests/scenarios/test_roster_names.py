"""A guide is called what the roster calls it, whichever act makes it a member."""

from tests.scenarios.shop import Shop


async def test_a_guide_has_its_roster_name_whether_a_scan_or_an_invitation_enrols_it(
    shop: Shop,
) -> None:
    await shop.publish()
    [outer] = await shop.print_codes(1, "OUTER")
    by_scan, by_invitation = await shop.guide("13900139001"), await shop.guide("13900139002")

    sold = await by_scan.done("scanCode", code=outer[0])
    assert sold["isNewMember"]
    await by_invitation.done("inviteMember", phone="138 0013 8001")

    assert (await by_scan.me())["displayName"] == "导购小王"
    assert (await by_invitation.me())["displayName"] == "导购小王"
