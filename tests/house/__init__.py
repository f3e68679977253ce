"""The house rules as functions over source code, each with samples that it must refuse."""
