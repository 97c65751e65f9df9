"""Nodes that find which place matches which, show it, and use it."""

NODES: list = []
