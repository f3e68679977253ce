"""Where webhooks may go: however an address inside is spelled, nobody connects to it."""

import asyncio
import threading
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from loyalty.errors import InvalidInput
from loyalty.webhooks.rules import check_url
from loyalty.webhooks.targets import HostUnknown, LookUps, Sender, TargetRefused, is_public
from tests.workers.receiver import receiving

HOSTS = (
    *("127.0.0.1", "127.1", "127.0.1", "127.0.0.2", "127.255.255.254", "2130706433", "0x7f000001"),
    *("0x7f.0.0.1", "0x7f.1", "0177.0.0.1", "017700000001", "0177.0x0.0.1", "00000177.0.0.1"),
    *("0", "0.0.0.0", "0x0", "0.1", "localhost", "LOCALHOST", "localhost.", "127.0.0.1."),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[::FFFF:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]"),
    *("[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]"),
    *("[2002:7f00:0001::1]", "[2001:0:7f00:1::]", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]"),
    *("[fd00::1]", "[ff02::1]", "[fec0::1]", "[2001:db8::1]", "[100::1]"),
    *("10.0.0.1", "10.1", "192.168.0.1", "172.16.0.1", "172.31.255.255", "169.254.169.254"),
    *("2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]", "100.64.0.1", "192.0.0.1"),
    *("198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "\uff11\uff12\uff17.0.0.1"),
    *("127\u30020\u30020\u30021", "①②⑦.⓪.⓪.①", "%31%32%37.0.0.1", "127.0.0.1%2f@example.com"),
)


async def test_no_spelling_of_an_address_inside_is_connected_to() -> None:
    assert len(set(HOSTS)) >= 60
    sender = Sender(0.5)
    async with receiving() as receiver:
        port = receiver.url.rpartition(":")[2]
        for host in HOSTS:
            for url in (f"https://{host}:{port}/", f"http://{host}:{port}/"):
                with pytest.raises((TargetRefused, HostUnknown, ValueError)):
                    await sender.post(url, {}, b"{}")
        # The same socket, by what the system knows of such spellings, where it is allowed.
        trial = Sender(2, is_private_allowed=True)
        for host in ("127.1", "0x7f000001", "2130706433", "localhost"):
            assert (await trial.post(f"http://{host}:{port}/", {}, b"{}")).status == 200
        assert receiver.connections == 4
        await trial.close()
    await sender.close()


async def test_a_name_is_looked_up_once_and_one_bad_address_is_enough() -> None:
    asked = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    async def mixed(host: str, port: int) -> Sequence[str]:
        return ["93.184.216.34", "127.0.0.1"]

    async with receiving() as receiver:
        port = receiver.url.rpartition(":")[2]
        sender = Sender(2, is_private_allowed=True, resolve=rebinding)
        assert (await sender.post(f"http://hooks.example:{port}/in?x=1", {}, b"{}")).status == 200
        [got] = receiver.got
        assert (got.path, got.headers["host"]) == ("/in?x=1", f"hooks.example:{port}")
        assert asked == ["hooks.example"]
        with pytest.raises(TargetRefused):
            await Sender(2, resolve=mixed).post(f"https://hooks.example:{port}/", {}, b"{}")
        assert receiver.connections == 1
        await sender.close()


async def test_hosts_that_are_slow_to_look_up_hold_up_no_other() -> None:
    asked: list[str] = []
    answering = threading.Event()

    def ask(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        if host.startswith("slow"):
            answering.wait(30)
        return ["127.0.0.1"]

    sender = Sender(2, is_private_allowed=True, resolve=(look_ups := LookUps(ask)))
    hurried = Sender(0.2, is_private_allowed=True, resolve=look_ups)
    try:
        async with receiving() as receiver:
            port = receiver.url.rpartition(":")[2]
            for _ in range(2):  # whoever gave up left its look-up under way
                posts = [
                    hurried.post(f"http://slow-{n}.example:{port}/", {}, b"{}") for n in range(40)
                ]
                ended = await asyncio.gather(*posts, return_exceptions=True)
                assert {type(end) for end in ended} == {TimeoutError}
            assert len(asked) == len(set(asked)) == 40
            assert (await sender.post(f"http://quick.example:{port}/", {}, b"{}")).status == 200
            joined = asyncio.create_task(sender.post(f"http://slow-0.example:{port}/", {}, b"{}"))
            await asyncio.sleep(0)
            answering.set()
            assert (await joined).status == 200
            assert asked.count("slow-0.example") == 1
    finally:
        answering.set()
        look_ups.close()
        await sender.close()


async def test_a_host_that_hangs_in_the_look_up_takes_no_longer_than_others() -> None:
    async def hanging(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(TimeoutError):
        await Sender(0.05, resolve=hanging).post("https://hooks.example/", {}, b"{}")


def test_public_addresses_are_public() -> None:
    for text in (
        "93.184.216.34",
        "8.8.8.8",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ):
        assert is_public(ip_address(text)), text


@pytest.mark.parametrize(
    "url",
    [
        *("http://hooks.example/", "ftp://hooks.example/", "https:///in", "hooks.example", ""),
        *("https://u:p@hooks.example/", "https://hooks.example/#x", "https://hooks.example:99999/"),
        *(
            "https://hooks.example/\n",
            "https://hooks.example\\@inside/",
            "https://[::1",
            "https://a b/",
        ),
        "https://hooks.example/" + "x" * 2000,
    ],
)
def test_what_is_no_address_of_the_outside_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_url(url, is_private_allowed=False)
    check_url("https://hooks.example:8443/in?brand=1", is_private_allowed=False)
