"""Calendars, and who shares them in which role."""
