"""Rooms and equipment: what can be booked, and when it is free."""
