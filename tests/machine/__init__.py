"""The state machine that plays the engine and the model side by side."""
