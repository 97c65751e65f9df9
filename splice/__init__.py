"""A generator trained on one pair of images, judged by a vision transformer; and what such a transformer sees."""
