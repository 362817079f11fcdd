"""The REST door: one module for each kind of thing. Reads the request, calls the domain, writes the answer; no rules."""
