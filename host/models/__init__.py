"""What a model is to the pack: its attention layers, conditioning, schedules and fingerprint."""
