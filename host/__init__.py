"""The only position that imports comfy: run the model, patch it, know its family, devices and files."""
