"""``loyalty demo`` as a newcomer starts it: a real process, its output, its files, its end."""

import csv
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import phonenumbers
import pytest
from rich.cells import cell_len

from loyalty.codes.printing import read_label
from server.demo import run_demo
from server.demo_campaign import demo_campaign_input, demo_ladder_input
from server.demo_client import Caller, StoryBroke, connect, expect
from server.demo_folder import CODE_FILES, LABELS, OWN_NAMES
from server.demo_screen import bar, yuan
from server.demo_server import DemoServer, ServerFailed
from server.demo_stage import BO, CHEN, MEI, QING, WU, ZHOU
from tests.child import start_child, stop_child
from tests.servers import LOYALTY

SHOW_SECONDS_MAX = 120
END_SECONDS_MAX = 20
STRANGERS_DATABASE = "strangers.db"


class Demo:
    """One ``loyalty demo`` process on a folder, with an environment that tries to mislead it."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        self.folder = home / "show"
        self.log = home / f"{time.monotonic_ns()}.log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LOYALTY_")}
        environment |= {
            "LOYALTY_DATABASE_URL": f"sqlite:///{home}/{STRANGERS_DATABASE}",
            "LOYALTY_TRUSTED_DOCUMENTS_ONLY": "1",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "COLUMNS": "80",
        }
        with self.log.open("wb") as log:
            self.process = start_child(
                [LOYALTY, "demo", "--folder", self.folder, *arguments],
                log=log,
                environment=environment,
                cwd=home,
            )

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait_for(self, words: str) -> str:
        """All it said, once it has said these words."""
        deadline = time.monotonic() + SHOW_SECONDS_MAX
        while words not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)
        return self.said

    def end(self) -> int:
        """Its exit code, when it ends by itself."""
        return self.process.wait(SHOW_SECONDS_MAX)

    def server_url(self) -> str:
        said = self.wait_for("The server answers at")
        found = re.search(r"answers at (http://127\.0\.0\.1:\d+)/graphql", said)
        assert found is not None
        return found.group(1)


def is_served(url: str) -> bool:
    port = int(url.rpartition(":")[2])
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_gone(url: str) -> bool:
    deadline = time.monotonic() + END_SECONDS_MAX
    while is_served(url):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def show(home: Path) -> Iterator[Demo]:
    """One show, ended: what most tests look at."""
    demo = Demo(home, "--exit")
    yield demo
    stop_child(demo.process, signal.SIGKILL, END_SECONDS_MAX)


@pytest.fixture
def serving(show: Demo) -> Iterator[Demo]:
    """A second show in the same folder, that goes on serving."""
    assert show.end() == 0
    demo = Demo(show.home)
    yield demo
    stop_child(demo.process, signal.SIGTERM, END_SECONDS_MAX)


def test_the_show_ends_well_and_says_what_happened(show: Demo) -> None:
    assert show.end() == 0, show.said
    words = " ".join(show.said.split())
    for fact in (
        "│ Zhou Jie 周洁 │ points 积分 │ 0 (5 锁) │ → │ 5 │",
        "│ Zhou Jie 周洁 │ cash 红包 │ ¥0.00 (¥0.50 锁) │ → │ ¥0.50 │",
        "│ Mei 小美 │ member 会员 │ a stranger │ → │ enrolled 已入会 │",
        "│ Mei 小美 │ points 积分 │ 0 │ → │ 10 │",
        "Bo scans Mei's bottle │ REPEAT",
        "Mei's phone asks again │ replayed",
        "Somebody forges a code │ CODE_UNKNOWN",
        "Zhou sells to herself │ SELF_DEALING",
        "Bo 阿波 │ nobody 无 │ +10 points │ NO_GUIDE",
        "Silver 银卡会员 ★ points x 1.2",
        "Gold 金卡会员 ★ points x 1.5",
        "1 x Osmanthus Oolong 桂花乌龙 │ 30 days 天 │ ¥3.50 + ¥0.50 │ 100 │",
        "Hao tries at till 2 │ COUPON_TAKEN │ This coupon is HELD at 梅子小铺 Plum",
        "Her till asks again │ replayed",
        "Hao tries at till 2 │ COUPON_TAKEN │ This coupon is CAPTURED at 梅子小铺",
        "settled by the worker │ booked 已入账 │ ¥4.00 │",
        "│ paid out 已付款 │ ¥4.00 │",
        "You have won a coupon: Another bottle free.",
        "Your coupon Another bottle free was used at 梅子小铺 Plum Corner.",
        "16 scans, 14 paid, 81 new members, 9,183 points granted",
        "16 scans, 14 paid, one coupon redeemed and settled.",
        "The books agree. 账实相符。",
    ):
        assert fact in words


def test_it_reads_well_without_colour_at_80_columns(show: Demo) -> None:
    show.end()
    assert "\x1b" not in show.said
    assert "Traceback" not in show.said
    assert [line for line in show.said.splitlines() if cell_len(line) > 80] == []


def test_no_phone_and_no_tills_key_is_ever_shown_or_logged_in_clear(show: Demo) -> None:
    show.end()
    log = (show.folder / "server.log").read_text(encoding="utf-8")
    assert re.search(r"till_…[\w-]{4} ", show.said)
    assert re.search(r"till_[\w-]{4}", show.said + log) is None
    for person in (ZHOU, WU, MEI, BO, QING, CHEN):
        assert person.phone not in show.said + log
        assert person.phone[2:] not in show.said + log
    assert re.search(r"sign-in code for \+120\*{4}0101: \*{6} ", log)


def test_the_points_of_real_purchases_are_what_the_ladder_says(show: Demo) -> None:
    """Folded anew, by hand: whole units, times the multiplier of the level held before."""
    show.end()
    levels = [
        (level["growthThreshold"], level["pointsMultiplierPercent"])
        for level in demo_ladder_input()["levels"]
    ]
    growth: dict[str, int] = defaultdict(int)
    points = 0
    text = (files("server") / "demo_data" / "purchases.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    for row in rows:
        whole, member = int(Decimal(row["amount"])), row["member_ref"]
        percent = max(level for level in levels if level[0] <= growth[member])[1]
        points += whole * percent // 100
        growth[member] += whole
    assert f"{len(rows)} purchases of {len(growth)} members: {points:,} points." in show.said


def test_the_audit_command_finds_the_demos_books_clean(show: Demo) -> None:
    show.end()
    environment = {**os.environ, "LOYALTY_DATABASE_URL": f"sqlite:///{show.folder}/loyalty.db"}
    done = subprocess.run(
        [LOYALTY, "audit", "--json"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    audit = json.loads(done.stdout)
    assert audit["broken"] == 0
    assert sum(check["checked"] for check in audit["checks"]) > 1000
    for invariant in (7, 11):  # coupons and payouts: there is something to be right about
        assert sum(c["checked"] for c in audit["checks"] if c["invariant"] == invariant) > 0


def test_the_labels_say_codes_of_the_printed_batches(show: Demo) -> None:
    show.end()
    for label, printed in zip(LABELS, CODE_FILES, strict=True):
        assert label.removesuffix("-1.png").removeprefix("label-") in printed
        codes = (show.folder / printed).read_text(encoding="ascii").split()
        assert len(set(codes)) == 24
        assert read_label(show.folder / label) == codes[0]


def test_it_leaves_its_own_files_and_meets_nobody_elses_database(show: Demo) -> None:
    show.end()
    assert {path.name for path in show.folder.iterdir()} <= OWN_NAMES
    assert not (show.home / STRANGERS_DATABASE).exists()
    assert not any(path.stat().st_mode & 0o077 for path in show.folder.iterdir())


def test_its_server_ends_with_the_show(show: Demo) -> None:
    show.end()
    assert not is_served(show.server_url())


def test_a_second_show_serves_with_ready_tokens_until_ctrl_c(serving: Demo) -> None:
    said = serving.wait_for("Serving until Ctrl-C")
    assert "An earlier demo's data there was removed" in said
    url = serving.server_url()
    page = httpx2.get(f"{url}/graphql", headers={"Accept": "text/html"}, trust_env=False)
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    assert re.search(
        r"password 密码 \S{12,},\nauthenticator's secret 动态码密钥 [A-Z2-7]{32}\n", said
    )
    tokens = re.findall(r"(eyJ[\w-]+\.[\w-]+\.[\w-]+)", said)
    queries = re.findall(r"^  (\{ .* \})$", said, re.MULTILINE)
    answers = []
    with connect(url) as client:
        for token, query in zip(tokens, queries, strict=True):
            answers.append(Caller(client, token).ask(query))
        operator, consumer, guide, clerk = answers
        assert operator["figures"]["scans"] == 16
        [coupon] = consumer["me"]["coupons"]["nodes"]
        assert coupon == {"name": "Another bottle free", "status": "REDEEMED"}
        assert guide["me"]["displayName"] == ZHOU.name
        [redemption] = clerk["myRedemptions"]["nodes"]
        assert (redemption["status"], redemption["tillName"]) == ("CAPTURED", "Till 1")
        Caller(client).do("requestSignInCode", brand="demo", phone=QING.phone)
    serving.wait_for("server │ sign-in code for")
    serving.process.send_signal(signal.SIGINT)
    assert serving.end() == 0
    assert "Goodbye" in serving.said
    assert "Traceback" not in serving.said
    assert is_gone(url)


@pytest.mark.parametrize(
    ("ended_by", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_whatever_ends_it_half_way_its_server_ends_too(
    tmp_path: Path, ended_by: signal.Signals, code: int
) -> None:
    demo = Demo(tmp_path)
    try:
        url = demo.server_url()
        assert stop_child(demo.process, ended_by, END_SECONDS_MAX) == code
        assert is_gone(url)
        assert "Traceback" not in demo.said
    finally:
        stop_child(demo.process, signal.SIGKILL, END_SECONDS_MAX)


def test_a_port_that_is_taken_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = Demo(tmp_path, "--exit", "--port", str(port))
        assert demo.end() == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in demo.said
    assert "Traceback" not in demo.said


def test_a_foreign_folder_is_refused_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "loyalty.db").write_text("somebody's")
    assert run_demo(tmp_path, port=0, keep_serving=False) == 5
    assert "thesis.txt" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loyalty.db", "thesis.txt"]
    assert (tmp_path / "loyalty.db").read_text() == "somebody's"


def test_an_answer_that_is_not_the_storys_breaks_it() -> None:
    expect("points", 10, 10)
    with pytest.raises(StoryBroke, match="points: 9, where the story has 10"):
        expect("points", 9, 10)


def test_a_refusal_an_error_and_silence_break_the_story() -> None:
    replies: list[Any] = [
        {"data": {"inviteMember": {"__typename": "Refused", "code": "X", "message": "No."}}},
        {"errors": [{"message": "Please sign in."}]},
        b"<html>",
    ]

    def answer(_: httpx2.Request) -> httpx2.Response:
        reply = replies.pop(0)
        if isinstance(reply, bytes):
            return httpx2.Response(502, content=reply)
        return httpx2.Response(200, json=reply)

    with httpx2.Client(base_url="http://demo", transport=httpx2.MockTransport(answer)) as client:
        caller = Caller(client)
        with pytest.raises(StoryBroke, match=r"inviteMember was refused: X No\."):
            caller.do("inviteMember", phone=QING.phone)
        with pytest.raises(StoryBroke, match="Please sign in"):
            caller.me()
        with pytest.raises(StoryBroke, match="no answer"):
            caller.me()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    environment = {**os.environ, "LOYALTY_DATABASE_URL": "mysql://nowhere"}
    server = DemoServer(environment, tmp_path / "server.log", 0)
    server.start()
    try:
        with pytest.raises(ServerFailed, match="LOYALTY_DATABASE_URL"):
            server.wait_until_healthy()
    finally:
        server.stop()
        server.stop()


def test_everybodys_phone_is_valid_and_reserved_for_fiction() -> None:
    for person in (ZHOU, WU, MEI, BO, QING, CHEN):
        assert phonenumbers.is_valid_number(phonenumbers.parse(person.phone))
        assert re.fullmatch(r"\+1\d{3}55501\d\d", person.phone)


def test_the_campaign_takes_a_gate_caps_and_budgets() -> None:
    wide = demo_campaign_input(
        gate="NONE", caps_per_day={"MEMBER": 10**6}, budgets={"POINTS": 10**12}
    )
    assert wide["gate"] == "NONE"
    assert wide["caps"] == [{"subject": "MEMBER", "window": "DAY", "timesMax": 10**6}]
    assert wide["budgets"] == [{"asset": "POINTS", "allowed": 10**12}]
    assert wide["outcomes"] == demo_campaign_input()["outcomes"]


@pytest.mark.parametrize(
    ("part", "whole", "drawn"),
    [(0, 4, "░░░░"), (1, 4, "█░░░"), (4, 4, "████"), (9, 4, "████"), (0, 0, "░░░░")],
)
def test_a_bar_is_drawn_to_scale(part: int, whole: int, drawn: str) -> None:
    assert bar(part, whole, width=4) == drawn


def test_fen_are_shown_as_yuan() -> None:
    assert (yuan(0), yuan(50), yuan(123456)) == ("¥0.00", "¥0.50", "¥1,234.56")
