"""`dev.py grid`: one workflow over every structure with every appearance, on one or more ComfyUI servers."""
