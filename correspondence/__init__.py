"""Which place of one picture matches which place of another."""
