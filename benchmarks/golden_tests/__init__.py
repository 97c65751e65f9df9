"""Watching the tests that compare with tensors of the reference code."""
