"""Features, matches and attention read-outs of a MODEL."""
