"""``loyalty demo``: the main job shown on a server of its own, over real HTTP, and checked.

Everything happens in the demo's own folder, on its own database, whatever the environment says.
Whatever ends the demo, its server ends with it.
"""

import asyncio
import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sqlalchemy.engine import make_url

from loyalty.settings import Settings, load_settings
from migrations.runner import upgrade
from server import brand_commands
from server.console import Exit, err
from server.demo_books import (
    audit_the_books,
    farewell,
    import_real_purchases,
    read_the_day,
    show_what_to_open,
)
from server.demo_client import Caller, StoryBroke, connect, expect
from server.demo_folder import (
    DATABASE,
    FAULT,
    SERVER_LOG,
    DemoFolder,
    FolderRefused,
    claimed_folder,
)
from server.demo_opening import print_the_codes, set_up_the_brand, sign_people_in
from server.demo_scans import (
    climb_the_ladder,
    guide_scans_first,
    one_code_two_rewards,
    what_does_not_pay,
    whose_guide,
)
from server.demo_screen import Screen
from server.demo_server import DemoServer, ServerFailed
from server.demo_stage import BRAND, BRAND_NAME, OPERATOR_EMAIL, Stage, named, run_command
from server.demo_store import open_a_store, win_a_coupon
from server.demo_templates import try_a_draft
from server.demo_till import pay_the_store, redeem_at_the_till

TOKEN_TTL_SECONDS = 24 * 3600
INTERRUPTED = 130  # as shells say it of a program that Ctrl-C ended


def run_demo(folder: Path, *, port: int, keep_serving: bool) -> int:
    """Show it all; the exit code.

    0 when every answer was the one the story tells (then, with ``keep_serving``, it serves until
    Ctrl-C); 1 when one was not, or the server failed; 5 when the folder is not the demo's; 130
    when it was interrupted half-way.
    """
    screen = Screen(paced=keep_serving)
    try:
        with ended_in_order(), claimed_folder(folder) as own, own_environment(own):
            return _show(screen, own, port, keep_serving)
    except FolderRefused as refused:
        err.print(str(refused), style="red", markup=False, highlight=False, soft_wrap=True)
        return int(Exit.REFUSED)
    except (StoryBroke, ServerFailed) as broke:
        screen.say("")
        screen.panel(str(broke), title="Not as the story has it 与剧本不符", style="red")
        screen.say(f"The server's log is in {named(folder.absolute() / SERVER_LOG)}.")
        return int(Exit.FAILED)
    except Exception as fault:  # noqa: BLE001  # people get a sentence, and developers the rest
        _tell_fault(screen, folder.absolute(), fault)
        return int(Exit.FAILED)
    except KeyboardInterrupt:
        screen.say("\nInterrupted; the server is stopped. 已中断，服务已停止。")
        return INTERRUPTED


def _tell_fault(screen: Screen, folder: Path, fault: Exception) -> None:
    """A bug: in a sentence here, and in full in a file."""
    file = folder / FAULT
    words = f"{type(fault).__name__}: {fault}"
    try:
        file.write_text("".join(traceback.format_exception(fault)), encoding="utf-8")
        words += f"\nWhere it happened is in {named(file)}."
    except OSError:
        words += "\nWhere it happened could not be written down."
    screen.say("")
    screen.panel(words, title="The demo stumbled 演示出错", style="red")


def _show(screen: Screen, own: DemoFolder, port: int, keep_serving: bool) -> int:
    started = time.monotonic()
    screen.title(
        "Loyalty engine",
        "会员忠诚度引擎",
        "Every printed code makes a member, and one scan pays two people.\n"
        "扫一瓶，入一会，奖两人。",
    )
    settings = load_settings()
    server = DemoServer(os.environ, own.file(SERVER_LOG), port)
    try:
        password, totp_secret = _found(screen, own, settings, server)
        with connect(server.url) as client:
            nobody = Caller(client)
            stage = Stage(screen, own, settings, server, client, nobody, password, totp_secret)
            _tell(stage)
            farewell(stage, time.monotonic() - started)
            if keep_serving:
                show_what_to_open(stage)
        return _serve_on(screen, server) if keep_serving else int(Exit.OK)
    finally:
        _stop(server)


def _found(
    screen: Screen, own: DemoFolder, settings: Settings, server: DemoServer
) -> tuple[str, str]:
    """Database, server and brand; the operator's password and TOTP secret."""
    screen.scene(
        "A house of its own",
        "从零开始",
        f"A fresh database in {named(own.path)}, a brand, its operator, and a server that only"
        " this machine can reach.",
        "全新数据库、品牌与运营账号；服务仅限本机访问。",
    )
    if own.started_over:
        screen.say("An earlier demo's data there was removed: each starts over. 旧演示数据已清除。")
    screen.command("loyalty migrate")
    asyncio.run(upgrade(settings.database_url))
    screen.command("loyalty serve")
    server.start()  # it starts while the brand is founded
    screen.command(f"loyalty brand create {BRAND} --admin-email {OPERATOR_EMAIL}")
    made = run_command(brand_commands.create, BRAND, name=BRAND_NAME, admin_email=OPERATOR_EMAIL)
    expect("The brand's slug", made["slug"], BRAND)
    screen.done(f"Brand {BRAND_NAME} is founded: its books, its first campaign, its ladder.")
    with screen.console.status("The server is starting 服务启动中"):
        server.wait_until_healthy()
    screen.done(f"The server answers at {server.url}/graphql")
    return made["admin_password"], made["admin_totp_secret"]


def _tell(stage: Stage) -> None:
    set_up_the_brand(stage)
    print_the_codes(stage)
    sign_people_in(stage)
    guide_scans_first(stage)
    one_code_two_rewards(stage)
    what_does_not_pay(stage)
    whose_guide(stage)
    climb_the_ladder(stage)
    store = open_a_store(stage)
    coupon = win_a_coupon(stage)
    redemption = redeem_at_the_till(stage, store, coupon)
    pay_the_store(stage, store, redemption)
    try_a_draft(stage)
    imported = import_real_purchases(stage)
    read_the_day(stage, imported)
    audit_the_books(stage)


def _serve_on(screen: Screen, server: DemoServer) -> int:
    screen.say("\nServing until Ctrl-C. 按 Ctrl-C 结束。", style="bold")
    server.echo = lambda line: screen.line(f"  server │ {line}", style="dim")
    try:
        code = server.wait_until_over()
    except KeyboardInterrupt:
        screen.say("\nGoodbye. The server is stopped. 再见，服务已停止。")
        return int(Exit.OK)
    raise ServerFailed(f"The server ended by itself (exit code {code}): {server.last_line()}")


def _stop(server: DemoServer) -> None:
    """End the server; a second Ctrl-C meanwhile changes nothing."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server.stop()
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def own_environment(own: DemoFolder) -> Iterator[None]:
    """Our settings and none of the caller's: a demo must never meet somebody's real database."""
    default_url = make_url(Settings.model_fields["database_url"].default)
    own_url = default_url.set(database=str(own.file(DATABASE)))
    before = dict(os.environ)
    for name in before:
        if name.upper().startswith("LOYALTY_"):
            del os.environ[name]
    os.environ["LOYALTY_DATABASE_URL"] = own_url.render_as_string(hide_password=False)
    os.environ["LOYALTY_GRAPHIQL"] = "1"
    os.environ["LOYALTY_TOKEN_TTL_SECONDS"] = str(TOKEN_TTL_SECONDS)
    os.environ["LOYALTY_LOG_LEVEL"] = "WARNING"
    os.environ["PYTHONIOENCODING"] = "utf-8"
    mask = os.umask(0o077)  # codes, tokens and the database are for their owner alone
    try:
        yield
    finally:
        os.umask(mask)
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM and a closed terminal end us as Ctrl-C does, so that the server ends too."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    heard = [
        one
        for one in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(one) is not signal.SIG_IGN
    ]  # nohup wants to be left alone
    before = {one: signal.signal(one, interrupt) for one in heard}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
