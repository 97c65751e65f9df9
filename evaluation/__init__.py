"""How good is it: measures on pictures and what is true about them."""
