"""Watching the tests that compare with tensors of the released code."""
