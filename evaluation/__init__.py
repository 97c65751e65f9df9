"""How good is it: measures on images and what is true about them."""
