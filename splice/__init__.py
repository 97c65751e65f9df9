"""A generator trained on one pair of pictures, judged by a vision transformer; and what such a transformer sees."""
