"""Edits of pocket pictures by pix2pix-zero and others: what is edited, how, how well, and pairs to learn from."""
