"""Events: what is on a calendar, who is invited, and what a viewer may see of it (RFC 5545, VEVENT)."""
