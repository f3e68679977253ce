"""docs/partner-quickstart.md does what it says, run exactly as it is printed."""

import asyncio
import json
import re
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

from tests.api import Host
from tests.house.source import ROOT
from tests.servers import ServerFactory

PAGE = ROOT / "docs" / "partner-quickstart.md"
SECONDS_MAX = 120


async def test_a_partners_engineer_issues_a_coupon_as_the_page_says(
    server_process: ServerFactory, command_env: dict[str, str], tmp_path: Path
) -> None:
    text = PAGE.read_text("utf-8")
    [program] = re.findall(r"```python\n(.*?)```", text, re.S)
    made, run = re.findall(r"```sh\n(.*?)```", text, re.S)
    command, _, file_name = made.strip().partition(" > ")
    assert run.split()[1:] == ["python3", "quickstart.py", file_name]
    server = server_process()
    done = await Host(command_env).finish(*command.split()[1:])
    (tmp_path / file_name).write_text(done.stdout)
    (tmp_path / "quickstart.py").write_text(program)
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-I", "quickstart.py", file_name],
        cwd=tmp_path,
        env={"URL": server.url},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    matched, first, second, issues, positions, entries = ran.stdout.splitlines()
    assert matched == "matched [True, False]"
    one, other = [literal_eval(line.removeprefix("issued ")) for line in (first, second)]
    assert (one["replayed"], other["replayed"]) == (False, True)
    assert one["issue"] == other["issue"]
    [issue] = literal_eval(issues)["partnerIssues"]["nodes"]
    assert issue == {"reference": "order 1", "status": "ISSUED"}
    [position] = literal_eval(positions)["clearingPositions"]
    assert position == {"partnerSlug": "trial", "owedFen": 5, "reservedFen": 319}
    assert literal_eval(entries)["clearingEntries"]["nodes"] == [{"kind": "FEE", "owedFen": 5}]
    assert json.loads(done.stdout)["partner_key"] not in ran.stdout
