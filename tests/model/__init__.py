"""The domain once more, in plain Python that imports nothing of the engine: what the state machine
compares the engine with. Written from the words of the domain, for reading, not for speed."""
