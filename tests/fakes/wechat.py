"""WeChat's ``GET /sns/jscode2session`` on a socket: it keeps apps, people and codes as WeChat
does, and answers a code as badly as it was told to.

with FakeWechat() as wechat:
    wechat.apps["wx1"] = "secret"                           # besides APP, which it knows
    code = wechat.code_of("openid", unionid="unionid")      # good once
    code = wechat.code_answered(Answer(delay_seconds=60))   # answered like this each time
"""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

PATH = "/sns/jscode2session"
APP, APP_SECRET = "wx0000000000000001", "the secret of an app"
SESSION_KEY = "a-session-key-that-never-leaves"
BLOCKED, BUSY, TOO_OFTEN = "errcode:40226", "errcode:-1", "errcode:45011"


@dataclass(frozen=True)
class Answer:
    """What comes back. ``drip_seconds`` is the pause after each byte of the body."""

    body: bytes | dict[str, Any] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    drip_seconds: float = 0
    drops_the_line: bool = False

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class FakeWechat:
    """``asked`` are the parameters of every question so far. Codes like ``errcode:-1`` need not be
    made: they are answered with that error."""

    def __init__(self) -> None:
        self.apps = {APP: APP_SECRET}
        self.asked: list[dict[str, str]] = []
        self._people: dict[str, dict[str, str]] = {}
        self._used: set[str] = set()
        self._answers: dict[str, Answer] = {}
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def code_of(self, openid: str, unionid: str | None = None) -> str:
        """What ``wx.login()`` would give the person now."""
        code = uuid4().hex
        self._people[code] = {"openid": openid} | ({"unionid": unionid} if unionid else {})
        return code

    def code_answered(self, answer: Answer) -> str:
        code = uuid4().hex
        self._answers[code] = answer
        return code

    def answer(self, path: str) -> Answer:
        parts = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self._lock:
            self.asked.append(asked)
            if parts.path != PATH or asked.get("grant_type") != "authorization_code":
                return Answer(status=404)
            return self._answer(asked, asked.get("js_code", ""))

    def _answer(self, asked: dict[str, str], code: str) -> Answer:
        if asked.get("appid") not in self.apps:
            return _error(40013)
        if asked.get("secret") != self.apps[asked["appid"]]:
            return _error(40125)
        if code.startswith("errcode:"):
            return _error(int(code.removeprefix("errcode:")))
        if code in self._answers:
            return self._answers[code]
        if code not in self._people:
            return _error(40029)
        if code in self._used:
            return _error(40163)
        self._used.add(code)
        return Answer({"session_key": SESSION_KEY, **self._people[code]})

    def wait(self, seconds: float) -> None:
        """A pause that the end cuts short."""
        self._ending.wait(seconds)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                answer = fake.answer(self.path)
                fake.wait(answer.delay_seconds)
                try:
                    self._send(answer)
                except OSError:
                    self.close_connection = True  # whoever asked has left

            def _send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                headers = {"content-type": "text/plain", "content-length": str(len(answer.raw))}
                for name, value in (headers | answer.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if answer.drops_the_line:
                    self.wfile.write(answer.raw[: len(answer.raw) // 2])
                    self.close_connection = True
                elif answer.drip_seconds:
                    for byte in answer.raw:
                        self.wfile.write(bytes([byte]))
                        fake.wait(answer.drip_seconds)
                else:
                    self.wfile.write(answer.raw)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: the tests' output is for the tests."""

        return Handler

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _error(errcode: int) -> Answer:
    return Answer({"errcode": errcode, "errmsg": f"what {errcode} means, rid: 0"})
