"""The pocket world: rendered toy animals with ground truth, and the small latent-diffusion model trained on them."""
