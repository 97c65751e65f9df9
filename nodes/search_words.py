"""What people type in the node search who do not know the name of a method. Source is ASCII, so Chinese is escaped."""

CHINESE = [
    "\u98ce\u683c\u8fc1\u79fb",  # style transfer
    "\u5916\u89c2\u8fc1\u79fb",  # appearance transfer
    "\u7eb9\u7406",  # texture
    "\u6750\u8d28",  # material
]
TRANSFER = [
    "style", "style transfer", "appearance transfer", "texture", "texture transfer", "material", "material transfer",
    *CHINESE,
]  # fmt: skip
"""Of the nodes that transfer an appearance."""

REFERENCE = ["reference", "reference only", "ip adapter", "ipadapter", "style aligned", "style reference", "recolor"]
"""Of the nodes through which a model looks at other images."""

INVERSION = [
    "unsampler", "noise inversion", "edit friendly", "ddim inversion", "uni-inv", "rf inversion", "image to noise",
    "\u53cd\u6f14",  # inversion
]  # fmt: skip
PROMPT_TO_PROMPT = ["pix2pix-zero", "word swap", "prompt to prompt", "p2p"]
COLORS = [
    "color transfer", "color match", "recolor",
    "\u989c\u8272\u8fc1\u79fb",  # color transfer
]  # fmt: skip
