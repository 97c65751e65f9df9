"""pix2pix-zero: directions, cross-attention guidance, collected pairs, distilled editors."""
