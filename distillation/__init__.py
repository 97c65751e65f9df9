"""A fast editor distilled from a slow one (pix2pix-zero, section 4.5): pairs of images, and a GAN that learns."""
