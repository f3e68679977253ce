"""``python -m tests.machine DATABASE_URL FOLDER EXAMPLES``: plays the engine that is in FOLDER.

Says ``AGREED``, or ``FOUND`` and what; it does not shrink what it finds.
"""

import sys
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import loyalty
from loyalty.crypto import Keyring
from tests.databases import MASTER_KEY
from tests.machine.comparing import Disagreement
from tests.machine.stages import PROFILE, on_stage


def _main(database_url: str, folder: str, examples: str) -> str:
    if not Path(loyalty.__path__[0]).is_relative_to(folder):
        return f"the engine of {loyalty.__path__[0]} is another one"
    quick = settings(PROFILE, phases=(Phase.generate,), max_examples=int(examples))
    with on_stage(database_url, Keyring(bytes.fromhex(MASTER_KEY))) as machine:
        try:
            run_state_machine_as_test(machine, settings=quick)
        except Disagreement as found:
            return f"FOUND {found}"
    return "AGREED"


if __name__ == "__main__":
    sys.stdout.write(_main(*sys.argv[1:]))
