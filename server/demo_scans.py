"""The demo's middle: scans, what they pay, what they do not pay and why, and a climb."""

from typing import Any

from rich.text import Text

from loyalty.codes.printing import read_label
from server.demo_client import Caller, expect
from server.demo_folder import LABELS
from server.demo_opening import sign_in_again
from server.demo_screen import bar, yuan
from server.demo_stage import BO, MEI, OOLONG, PLUM, QING, ZHOU, Stage, clock_time

_KEY_OF_MEIS_SCAN = "mei-opens-bottle-1"
_CLIMB_SCANS = 8

Balances = dict[str, tuple[int, int]]


def guide_scans_first(stage: Stage) -> None:
    """The guide's pre-scan of the OUTER code: a locked reward."""
    stage.screen.scene(
        "The guide scans first",
        "导购预扫码",
        "Zhou sells bottle 1 and scans the code outside. Her reward is granted, budgeted, and"
        " locked: it is hers when the bottle is opened.",
        "导购卖出时扫瓶外码，奖励先锁定；消费者开瓶扫码后解锁。",
    )
    zhou = stage.person(ZHOU)
    outer = read_label(stage.folder.file(LABELS[1]))
    receipt = stage.scan(zhou, ZHOU.device, outer)
    expect("The pre-scan's verdict", receipt["verdict"], "FIRST")
    rewards = {r["asset"]: (r["amount"], r["locked"]) for r in receipt["rewards"]}
    expect("The guide's locked rewards", rewards, {"POINTS": (5, True), "CASH": (50, True)})
    expect("The guide's balances", zhou.balances(), {"POINTS": (0, 5), "CASH": (0, 50)})
    rows = [
        (ZHOU.name, "points 积分", "0", "5"),
        (ZHOU.name, "cash 红包", yuan(0), yuan(50)),
    ]
    stage.screen.table(("Who 谁", "What 什么", ">Hers 可用", ">Locked 待解锁"), rows)


def one_code_two_rewards(stage: Stage) -> None:
    """The heart: one scan by a stranger enrols her and pays two people."""
    stage.screen.scene(
        "One code, two rewards",
        "一码双奖",
        "Mei, whom the brand has never seen, opens the bottle and scans the code inside.",
        "陌生消费者开瓶扫码：即时入会，消费者与导购同时获奖。",
    )
    mei, zhou = stage.person(MEI), stage.person(ZHOU)
    before = zhou.balances()
    inner = read_label(stage.folder.file(LABELS[0]))
    receipt = stage.scan(mei, MEI.device, inner, key=_KEY_OF_MEIS_SCAN)
    expect("The scan's verdict", receipt["verdict"], "FIRST")
    expect("Why it did not pay", receipt["unpaidReason"], None)
    expect("Why the guide was not paid", receipt["guideUnpaidReason"], None)
    expect("Mei is enrolled by it", receipt["isNewMember"], True)
    mine, hers = mei.balances(), zhou.balances()
    expect("Mei's balances", mine, {"POINTS": (10, 0), "GROWTH": (10, 0)})
    expect("Zhou's balances", hers, {"POINTS": (5, 0), "CASH": (50, 0)})
    arrow = "→"
    rows = [
        (MEI.name, "member 会员", "a stranger", arrow, "enrolled 已入会"),
        (MEI.name, "points 积分", "0", arrow, str(mine["POINTS"][0])),
        (MEI.name, "growth 成长值", "0", arrow, str(mine["GROWTH"][0])),
        (ZHOU.name, "points 积分", _with_locked(before, "POINTS"), arrow, str(hers["POINTS"][0])),
        (ZHOU.name, "cash 红包", _with_locked(before, "CASH"), arrow, yuan(hers["CASH"][0])),
    ]
    stage.screen.table(("Who 谁", "What 什么", ">Before 之前", "", ">After 之后"), rows)
    stage.screen.done(
        f"One transaction, at {clock_time(receipt['occurredAt'])} in Shanghai: both are paid, or"
        " neither is. 同一事务，同得同失。"
    )


def _with_locked(balances: Balances, asset: str) -> str:
    free, locked = balances[asset]
    return f"{yuan(free)} ({yuan(locked)} 锁)" if asset == "CASH" else f"{free} ({locked} 锁)"


def what_does_not_pay(stage: Stage) -> None:
    """A repeat, a lost answer, a forgery and a self-dealing guide."""
    stage.screen.scene(
        "What does not pay",
        "不给钱的扫码",
        "The same bottle again, a lost answer asked for again, a forged code, and a guide who"
        " plays her own consumer.",
        "重复扫码、网络重试、假码、导购自扫：一分也不多付。",
    )
    mei, zhou = stage.person(MEI), stage.person(ZHOU)
    before = (mei.balances(), zhou.balances())
    rows = [_repeat(stage), _lost_answer(stage), *_forgery(stage)]
    expect("Balances after all this", (mei.balances(), zhou.balances()), before)
    rows.append(_self_dealing(stage))
    stage.screen.table(("Who does what 谁做什么", "Answer 结果", "In words 说明"), rows)
    stage.screen.done("Not one point moved. 余额分文未动。")


def _repeat(stage: Stage) -> tuple[str, str, str]:
    inner = stage.codes[(PLUM.slug, "INNER")][0]
    receipt = stage.scan(stage.person(BO), BO.device, inner)
    expect("The repeat's verdict", receipt["verdict"], "REPEAT")
    expect("Why the repeat pays nothing", receipt["unpaidReason"], "ALREADY_CLAIMED")
    first = receipt["firstScan"]
    words = (
        f"genuine, but scan no. {receipt['scanCount']}; first at {clock_time(first['at'])}"
        f" near {first['latitude']}°N {first['longitude']}°E"
    )
    return ("Bo scans Mei's bottle", f"{receipt['verdict']}\n{receipt['unpaidReason']}", words)


def _lost_answer(stage: Stage) -> tuple[str, str, str]:
    mei, inner = stage.person(MEI), stage.codes[(PLUM.slug, "INNER")][0]
    receipt = stage.scan(mei, MEI.device, inner, key=_KEY_OF_MEIS_SCAN)
    expect("The same key again is replayed", receipt["replayed"], True)
    expect("The replayed verdict", receipt["verdict"], "FIRST")
    words = "same key, same answer: +10 as before, paid once"
    return ("Mei's phone asks again", "replayed", words)


def _forgery(stage: Stage) -> list[tuple[str, str, str]]:
    genuine = stage.codes[(PLUM.slug, "INNER")][1]
    forged = genuine[:-1] + ("0" if genuine[-1] != "0" else "1")
    answers = [stage.scan(stage.person(BO), BO.device, forged, language=tongue)
               for tongue in ("en", "zh-CN")]  # fmt: skip
    for answer in answers:
        expect("The answer to a forged code", answer.get("code"), "CODE_UNKNOWN")
    words = "\n".join(answer["message"] for answer in answers)
    return [("Somebody forges a code", "CODE_UNKNOWN", words)]


def _self_dealing(stage: Stage) -> tuple[str, str, str]:
    outer, inner = (stage.codes[(PLUM.slug, kind)][2] for kind in ("OUTER", "INNER"))
    sold = stage.scan(stage.person(ZHOU), ZHOU.device, outer)
    expect("The pre-scan of bottle 3", sold["unpaidReason"], None)
    as_consumer = sign_in_again(stage, ZHOU, "CONSUMER")
    receipt = stage.scan(as_consumer, "another-phone", inner)
    expect("Why the guide's own scan pays nothing", receipt["unpaidReason"], "SELF_DEALING")
    expect("What the guide got as a consumer", receipt["rewards"], [])
    words = "never the same person, phone or device; the bottle can still be opened honestly"
    return ("Zhou sells to herself", "SELF_DEALING", words)


def whose_guide(stage: Stage) -> None:
    """Attribution: by pre-scan, by invitation, or nobody."""
    stage.screen.scene(
        "Whose guide?",
        "导购归属",
        "Zhou invites Qing by phone. Qing scans a bottle that nobody pre-scanned: her inviter is"
        " paid at once. Bo was brought by nobody: he is paid, and NO_GUIDE is on record.",
        "先看预扫码，再看邀请关系；都没有则如实记录 NO_GUIDE。",
    )
    zhou = stage.person(ZHOU)
    invited = zhou.do("inviteMember", phone=QING.phone)
    expect("The invited phone is masked", QING.phone in invited["phone"], False)
    rows = [(MEI.name, "pre-scan 预扫码", "+10 points", f"+5 points, +{yuan(50)}")]
    for person, bottle, way, reason in (
        (QING, 3, "invitation 邀请", None),
        (BO, 4, "nobody 无", "NO_GUIDE"),
    ):
        before = zhou.balances()
        inner = stage.codes[(PLUM.slug, "INNER")][bottle]
        receipt = stage.scan(stage.person(person), person.device, inner)
        expect(f"Why {person.name}'s guide is not paid", receipt["guideUnpaidReason"], reason)
        points, cash = (_gain(before, zhou.balances(), asset) for asset in ("POINTS", "CASH"))
        expect("What the guide got", (points, cash), (0, 0) if reason else (5, 50))
        mine = {r["asset"]: r["amount"] for r in receipt["rewards"]}
        expect(f"What {person.name} got", mine, {"POINTS": 10, "GROWTH": 10})
        guide_got = reason or f"+{points} points, +{yuan(cash)}"
        rows.append((person.name, way, f"+{mine['POINTS']} points", guide_got))
    columns = ("Who scanned 谁扫", "Guide by 归属", ">Consumer 消费者", "Guide 导购")
    stage.screen.table(columns, rows)


def _gain(before: Balances, after: Balances, asset: str) -> int:
    return after[asset][0] - before[asset][0]


def climb_the_ladder(stage: Stage) -> None:
    """Enough scans to rise twice, and the multiplier at work."""
    stage.screen.scene(
        "A climb",
        "会员升级",
        f"Mei likes the oolong, {_CLIMB_SCANS} bottles of it. Growth lifts her, and each level"
        " multiplies what the next scan pays.",
        "成长值累计升级，等级越高，积分倍率越高。",
    )
    mei = stage.person(MEI)
    growth, percents = 10, []
    for number, inner in enumerate(stage.codes[(OOLONG.slug, "INNER")][:_CLIMB_SCANS], 1):
        before = mei.me()["tier"]["level"]
        receipt = stage.scan(mei, MEI.device, inner)
        points = next(r["amount"] for r in receipt["rewards"] if r["asset"] == "POINTS")
        percent = before["pointsMultiplierPercent"]
        expect(f"Points of climb {number}", points, 10 * percent // 100)
        tier = mei.me()["tier"]
        growth += 10
        expect(f"Growth after climb {number}", tier["growth"], growth)
        rose = tier["level"]["code"] != before["code"]
        expect("The receipt tells of the new level", receipt["tierChanged"], rose)
        percents.append(percent)
        stage.screen.show(_step(number, points, tier, rose))
        stage.screen.beat()
    expect("Multipliers on the way", percents, [100, 100, 120, 120, 120, 120, 120, 150])


def _step(number: int, points: int, tier: Any, rose: bool) -> Text:
    level, following = tier["level"], tier["nextLevel"]
    goal = following["growthThreshold"] if following else tier["growth"]
    step = Text.assemble(
        f"  {number}  ",
        (f"+{points:<3}", "green"),
        (bar(tier["progressPercent"], 100), "cyan"),
        f" {tier['growth']:>3}/{goal:<4}",
        f"{level['nameEn']} {level['nameZh']}",
    )
    if rose:
        percent = level["pointsMultiplierPercent"]
        step.append(f"  ★ points x {percent / 100:.1f}", style="bold yellow")
    return step


def points_of_people(stage: Stage) -> int:
    """What all the people of the story have of points: what their scans have granted."""
    callers: list[Caller] = [stage.person(person) for person in (ZHOU, MEI, BO, QING)]
    return sum(caller.balances().get("POINTS", (0, 0))[0] for caller in callers)
