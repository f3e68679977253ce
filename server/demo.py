from pathlib import Path


def run_demo(folder: Path, *, port: int, keep_serving: bool) -> int:
    raise NotImplementedError
