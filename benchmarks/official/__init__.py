"""What the authors' released loops do with a network, to measure ours against."""
