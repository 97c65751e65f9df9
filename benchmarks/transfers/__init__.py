"""Transfers between pairs of pocket scenes, ours and others', in batches and inside the host's process."""
