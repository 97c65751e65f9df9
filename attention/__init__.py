"""How one image looks at another: cross-image attention, its contrast, its windows, and masks from self-attention."""
