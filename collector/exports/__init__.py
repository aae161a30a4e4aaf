"""Finding lists as people pull them."""
