"""Hints between nodes: "transaction 731 changed these keys", so that the others need not wait for their next poll.

A `Bus` sends and receives them over a `Transport`: PostgreSQL (LISTEN and NOTIFY), Redis (publish and subscribe) or
Kafka (one topic that every instance reads whole). What may be served is decided from the change log alone. A hint
that is lost, late, doubled or out of order costs milliseconds, never an answer that is wrong: so there is no
acknowledgement, no order, no gap detection and no leader here.

Knows no domain (a key is a text), no HTTP, and nothing of the cache that listens.
"""
