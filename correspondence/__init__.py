"""Which position of one image matches which position of another."""
