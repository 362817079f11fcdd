"""`yotei user`: the people of this installation; how the first administrator comes to be."""
