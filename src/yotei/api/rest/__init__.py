"""The REST door, a module for each kind of thing: reads the request, calls the domain, writes the answer; no rules."""
