"""From an image to the noise that makes it, and back: schedules, DDPM and DDIM inversion, replay, files."""
