"""What the store has to offer, and the engines that offer it."""
