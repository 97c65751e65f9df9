"""Edits of pocket images by pix2pix-zero and others: what is edited, how, how well, and pairs to learn from."""
