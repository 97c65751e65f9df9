"""What `dev.py` is made of: the environment, ComfyUI, the demo. The pack itself never imports it.

`paths`, `cli_output`, `installation`, `comfyui` and `server` need only the standard library, because they run before
there is an environment; the rest (`client`, `in_process`, `demo`, ...) runs inside it.
"""
