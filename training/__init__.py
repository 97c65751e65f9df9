"""What every training of the pack has in common: what a step reports, how its losses are drawn, what Adam remembers."""
