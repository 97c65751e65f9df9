"""Inversions with a MODEL: DDPM, DDIM, null text."""
