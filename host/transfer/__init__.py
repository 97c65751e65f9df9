"""Transfers as model patches: references, sessions, attention, guiders and samplers."""
