"""Exhaustive exploration of small worlds: every order in which things can happen, not a sample of them."""
