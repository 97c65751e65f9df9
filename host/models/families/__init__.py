"""The diffusion transformers that a transfer knows: one file per architecture."""
