"""Fixtures for every test, by the file that makes them."""

import gc

from hypothesis import settings

pytest_plugins = [
    "tests.compiled_once",
    "tests.spreading",
    "tests.databases",
    "tests.redis_server",
    "tests.servers",
    "tests.summary",
]

# Two databases share a small machine: a slow example is no failure.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay to the end: nobody looks for garbage among them, nor
    often among what tests make."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
