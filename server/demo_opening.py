"""The demo's opening: what a brand sets up before anybody scans, and who signs in."""

from typing import Any

import pyotp
from rich.console import Group
from rich.table import Table
from rich.text import Text

from loyalty.clock import utc_now
from loyalty.codes.printing import png_label, read_codes, read_label
from server import code_commands
from server.demo_campaign import demo_campaign_input, demo_ladder_input
from server.demo_client import Caller, expect
from server.demo_folder import CODE_FILES, LABELS
from server.demo_screen import qr_picture, yuan
from server.demo_stage import (
    BO,
    BOTTLES,
    BRAND,
    LABEL_HOST,
    MEI,
    OOLONG,
    OPERATOR_EMAIL,
    PLUM,
    QING,
    WU,
    ZHOU,
    Person,
    Product,
    Stage,
    named,
    run_command,
)

_ASSETS = {"POINTS": "points 积分", "GROWTH": "growth 成长值", "CASH": "cash 红包"}
_KINDS = {"INNER": "盖内码", "OUTER": "瓶外码"}
_ROLES = {"CONSUMER": "consumer 消费者", "GUIDE": "guide 导购员"}


def set_up_the_brand(stage: Stage) -> None:
    """The operator signs in, and publishes what the brand promises."""
    stage.screen.scene(
        "The operator's morning",
        "运营上线",
        "Lin, the brand's operator, signs in by e-mail, password and the code of her"
        " authenticator, and publishes the"
        " campaign, the ladder and the roster of guides. All of it is GraphQL over HTTP.",
        "运营人员用邮箱、密码和动态验证码登录，发布活动、会员等级和导购名册。",
    )
    signed_in = stage.operator.do(
        "signInOperator",
        brand=BRAND,
        email=OPERATOR_EMAIL,
        password=stage.password,
        totp=pyotp.TOTP(stage.totp_secret).at(utc_now()),
    )
    expect("The operator's role", signed_in["role"], "ADMIN")
    stage.operator = Caller(stage.client, signed_in["token"])
    stage.screen.done(f"{OPERATOR_EMAIL} is signed in as {signed_in['role']}.")
    _publish_campaign(stage)
    _publish_ladder(stage)
    _import_roster(stage)


def _publish_campaign(stage: Stage) -> None:
    wanted = demo_campaign_input()
    made = stage.operator.do("publishCampaign", **wanted)["campaign"]
    expect("The campaign's gate", made["gate"], wanted["gate"])
    expect("The campaign's outcomes", made["outcomes"], wanted["outcomes"])
    expect("The campaign's caps", made["caps"], wanted["caps"])
    stage.screen.done(
        f"Campaign “{wanted['nameEn']} {wanted['nameZh']}”, version {made['version']}. Each scan"
        " pays two people; the guide's part stays locked until the consumer scans:"
    )
    rows = [
        (_ROLES[o["beneficiary"]], _ASSETS[o["asset"]], _amount(o["asset"], o["amount"]))
        for o in made["outcomes"]
    ]
    stage.screen.table(("Who 谁", "Gets 得到", ">Per scan 每次"), rows)


def _amount(asset: str, amount: int) -> str:
    return f"+{yuan(amount)}" if asset == "CASH" else f"+{amount}"


def _publish_ladder(stage: Stage) -> None:
    wanted = demo_ladder_input()
    made = stage.operator.do("publishLadder", **wanted)
    expect("The ladder's levels", made["levels"], wanted["levels"])
    stage.screen.done(f"Ladder, version {made['version']}: higher levels multiply points.")
    rows = [
        (
            f"{level['nameEn']} {level['nameZh']}",
            f"{level['growthThreshold']}",
            f"x {level['pointsMultiplierPercent'] / 100:.1f}",
        )
        for level in made["levels"]
    ]
    stage.screen.table(("Level 等级", ">From growth 成长值", ">Points 积分倍率"), rows)


def _import_roster(stage: Stage) -> None:
    entries = [{"phone": guide.phone, "name": guide.name} for guide in (ZHOU, WU)]
    entries.append({"phone": "12345", "name": "A typo 手误"})
    made = stage.operator.do("importRoster", role="GUIDE", entries=entries)
    expect("Guides added to the roster", made["added"], 2)
    expect("Rows of the roster rejected", [r["index"] for r in made["rejected"]], [2])
    stage.screen.done("Roster: 2 guides admitted; 1 row turned away, with its reason:")
    stage.screen.say(f"    row 3: {made['rejected'][0]['reason']}", style="yellow")


def print_the_codes(stage: Stage) -> None:
    """Batches are ordered, printed, drawn as QR labels, read back and activated."""
    stage.screen.scene(
        "A code on every bottle",
        "一物一码",
        f"Two products, {BOTTLES} bottles each. Every bottle gets two codes that know of each"
        " other: OUTER on the label for the guide, INNER under the cap for who opens it.",
        "每瓶两码关联：瓶外码给导购，盖内码给开瓶的消费者。",
    )
    rows = []
    for product in (PLUM, OOLONG):
        for batch in _order(stage, product):
            file = stage.folder.file(_file_of(CODE_FILES, product, batch["kind"]))
            _print(stage, batch, file.name)
            codes = list(read_codes(file))
            expect(f"Codes in {file.name}", len(set(codes)), BOTTLES)
            lines = file.read_text(encoding="ascii").split()
            stage.codes[(product.slug, batch["kind"])] = lines
            kind = f"{batch['kind']} {_KINDS[batch['kind']]}"
            name = f"{product.name_en} {product.name_zh}"
            rows.append((str(batch["number"]), name, kind, str(len(codes)), "ACTIVE 已激活"))
        _activate(stage, batch["id"])
    stage.screen.table((">Batch 批次", "Product 商品", "Kind 码", ">Codes", "Status"), rows)
    _draw_labels(stage)


def _order(stage: Stage, product: Product) -> Any:
    made = stage.operator.do(
        "createProduct", sku=product.sku, nameEn=product.name_en, nameZh=product.name_zh
    )["product"]
    expect("The product's SKU", made["sku"], product.sku)
    stage.product_ids[product.slug] = made["id"]
    ordered = stage.operator.do(
        "createCodeBatch", productId=made["id"], quantity=BOTTLES, kinds=["INNER", "OUTER"]
    )["batches"]
    expect("Kinds ordered", [batch["kind"] for batch in ordered], ["INNER", "OUTER"])
    return ordered


def _print(stage: Stage, batch: Any, file_name: str) -> None:
    stage.screen.command(f"loyalty codes generate {batch['number']} --file {file_name} ...")
    printed = run_command(
        code_commands.generate,
        batch["number"],
        brand=BRAND,
        file=stage.folder.file(file_name),
        host=LABEL_HOST,
    )
    expect("Codes printed", printed["codes"], BOTTLES)


def _activate(stage: Stage, batch_id: str) -> None:
    moved = stage.operator.do("activateCodeBatch", id=batch_id)["batches"]
    expect("Batches activated", [batch["status"] for batch in moved], ["ACTIVE", "ACTIVE"])


def _file_of(names: tuple[str, ...], product: Product, kind: str) -> str:
    return next(name for name in names if f"-{product.slug}-{kind.lower()}" in name)


def _draw_labels(stage: Stage) -> None:
    for product in (PLUM, OOLONG):
        for kind in ("INNER", "OUTER"):
            printed = stage.codes[(product.slug, kind)][0]
            label = stage.folder.file(_file_of(LABELS, product, kind))
            png_label(printed, label)
            expect(f"What a reader finds in {label.name}", read_label(label), printed)
    stage.screen.done(
        f"{len(LABELS)} QR labels drawn as PNG in {named(stage.folder.path)}, and read back by a"
        " decoder: each says its code. From here on, people scan what the decoder read."
    )
    scanned = read_label(stage.folder.file(LABELS[0]))
    words = Group(
        Text("Plum Soda 梅子气泡水", style="bold"),
        Text("bottle 1, under the cap 盖内码\n"),
        Text(scanned, style="cyan", overflow="fold"),
        Text("\n29 characters: a key's name, then one AES block. Nothing is stored until a scan."),
    )
    side_by_side = Table.grid(padding=(0, 3))
    side_by_side.add_row(qr_picture(scanned), words)
    stage.screen.show(side_by_side)


def sign_people_in(stage: Stage) -> None:
    """Four people and one guide's second face sign in by phone and one-time code."""
    stage.screen.scene(
        "People sign in",
        "短信登录",
        "A phone and a one-time code. The demo's SMS gateway is the server's console; the demo"
        " reads it there. All numbers are of the range reserved for fiction, and shown masked.",
        "手机号加验证码登录；号码均为虚构，并已脱敏。",
    )
    rows = []
    for person, role in ((ZHOU, "GUIDE"), (MEI, "CONSUMER"), (BO, "CONSUMER"), (QING, "CONSUMER")):
        masked, code, caller = _sign_in(stage, person, role)
        stage.callers[person.name] = caller
        if person is ZHOU:
            sms = f"【Plum & Bubbles】 Your code is {code}.\n【梅子与气泡】 您的验证码是 {code}。"
            stage.screen.panel(Text(sms), title=f"SMS 短信 → {masked}")
        expect(f"{person.name} before any act", caller.me(), None)
        rows.append((person.name, _ROLES[role], masked, code, "signed in ✓"))
    stage.screen.table(("Who 谁", "As 身份", "Phone 手机", "Code 验证码", ""), rows)
    stage.screen.say("Nobody is a member yet: the first act makes one. 首次参与即入会。")


def _sign_in(stage: Stage, person: Person, role: str) -> tuple[str, str, Caller]:
    nobody = Caller(stage.client)
    sent = nobody.do("requestSignInCode", brand=BRAND, phone=person.phone)
    expect("The phone in the answer is masked", person.phone in sent["sentTo"], False)
    code = stage.server.take_sign_in_code(person.phone)
    signed = nobody.do("signInByCode", brand=BRAND, phone=person.phone, code=code, role=role)
    expect("The role of the token", signed["role"], role)
    return sent["sentTo"], code, Caller(stage.client, signed["token"])


def sign_in_again(stage: Stage, person: Person, role: str) -> Caller:
    """The same phone in another role."""
    return _sign_in(stage, person, role)[2]
