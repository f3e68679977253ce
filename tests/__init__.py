"""Real parts only: both databases, real server processes, no mocks. Mirrors the source tree."""
