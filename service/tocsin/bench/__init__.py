"""`tocsin bench`: Tocsin's sender and its peers, side by side against one sink."""
