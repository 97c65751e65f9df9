"""Which models the pack works with, in the words of its messages."""

SUPPORTED = "SD1.x, SD2.x, SDXL and other models with the Stable Diffusion U-Net"
TRANSFORMERS = "Flux.1, Flux.2, Chroma, HunyuanImage, Z-Image, Lumina 2, Qwen-Image, Krea 2 and SD3"
