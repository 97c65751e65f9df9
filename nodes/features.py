"""Nodes that ask a network what it knows of every place of a picture."""

NODES: list = []
