"""A fast editor distilled from a slow one (pix2pix-zero, section 4.5): pairs of pictures, and a GAN that learns."""
