"""What the authors' reference loops do with a network, to measure ours against."""
