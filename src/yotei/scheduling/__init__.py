"""When people and rooms are taken, and when they can meet (RFC 5545, section 3.6.4; RFC 6638)."""
