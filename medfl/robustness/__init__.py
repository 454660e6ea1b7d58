"""Rules that combine a round's messages and withstand bad updates among them."""
