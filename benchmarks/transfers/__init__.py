"""Transfers between pairs of pocket scenes, ours and others', in batches and inside ComfyUI's process."""
