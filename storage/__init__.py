"""How what the pack makes is kept: one form of file for inversions, trained generators and what is to come."""
