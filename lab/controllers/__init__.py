"""Real servers set up on the lab's hosts as an administrator would, up to the point where tanist owns them."""
