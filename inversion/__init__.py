"""From a picture to the noise that makes it, and back: schedules, DDPM and DDIM inversion, replay, files."""
