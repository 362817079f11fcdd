"""People, and the tokens by which programs speak for them."""
