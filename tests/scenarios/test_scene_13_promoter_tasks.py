"""Scene 13: guides and salespeople take a task, see how far they are, and are paid when it is
done."""

import asyncio
from typing import Any

from tests.api import Caller
from tests.scenarios.shop import POINTS, Shop, eventually, outcome

MY_TASKS = """
{ myTasks { period startsAt endsAt takenAt progress task { code name target }
            completion { kind unpaidReason earned { asset amount } } } }
"""
REWARD = 500


async def my_task(caller: Caller) -> Any:
    """The one task of the caller's role."""
    [task] = (await caller.ask(MY_TASKS))["myTasks"]
    return task


async def test_a_guide_is_paid_once_for_three_scans_of_the_week(shop: Shop) -> None:
    await shop.publish()
    inner, outer = await shop.print_codes(5, "INNER", "OUTER")
    await shop.admin.done(
        "publishCampaign",
        code="weekly",
        nameZh="周任务奖",
        nameEn="Weekly",
        event="TASK_COMPLETED",
        condition="event.task in ['three-a-week', 'brought']",
        outcomes=[outcome("GUIDE", POINTS, REWARD), outcome("SALESPERSON", POINTS, REWARD)],
    )
    three = {"code": "three-a-week", "nameZh": "本周三次扫码", "nameEn": "Three this week"}
    weekly = {"role": "GUIDE", "counts": "GUIDED_SCANS", "target": 3, "period": "WEEK"}
    await shop.admin.done("createTask", **three, **weekly)
    wang = await shop.guide("13900139001")
    offered = await my_task(wang)
    assert (offered["takenAt"], offered["progress"]) == (None, 0)
    assert not (await wang.done("takeTask", code="three-a-week"))["alreadyTaken"]
    assert (await wang.done("takeTask", code="three-a-week"))["alreadyTaken"]

    for code in outer:
        await wang.done("scanCode", code=code)
    buyer = await shop.person("13800138001")
    await buyer.done("scanCode", code=inner[0])
    under_way = await my_task(wang)
    assert (under_way["progress"], under_way["completion"]) == (1, None)

    # Two that cross the target together.
    await asyncio.gather(*(buyer.done("scanCode", code=code) for code in inner[1:4]))
    done = await eventually(lambda: my_task(wang), lambda task: task["completion"] is not None)
    assert done["progress"] == 4
    assert done["completion"]["earned"] == [{"asset": POINTS, "amount": REWARD}]
    await buyer.done("scanCode", code=inner[4])

    async def counted() -> Any:
        return (await my_task(wang))["progress"]

    await eventually(counted, lambda progress: progress == 5)
    assert await wang.balances() == {POINTS: (5 * 30 + REWARD, 0)}
    await a_salesperson_is_paid_for_the_scans_of_whom_it_brought(shop)
    assert (await shop.host.run("audit"))["broken"] == 0


async def a_salesperson_is_paid_for_the_scans_of_whom_it_brought(shop: Shop) -> None:
    [inner] = await shop.print_codes(2, "INNER")
    task = {"role": "SALESPERSON", "counts": "INVITED_SCANS", "target": 2, "forEverybody": True}
    await shop.admin.done("createTask", code="brought", nameZh="拓客", nameEn="Brought", **task)
    entries = [{"phone": "13900139003", "name": "业务员小赵"}]
    await shop.admin.done("importRoster", role="SALESPERSON", entries=entries)
    zhao = await shop.person("13900139003", "SALESPERSON")
    await zhao.done("inviteMember", phone="13800138009")
    buyer = await shop.person("13800138009")
    for code in inner:
        await buyer.done("scanCode", code=code)
    done = await eventually(lambda: my_task(zhao), lambda task: task["completion"] is not None)
    assert (done["progress"], done["period"]) == (2, "ONCE")
    assert await zhao.balances() == {POINTS: (REWARD, 0)}
