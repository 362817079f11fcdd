"""Values that are as fresh as PostgreSQL says: levels, single flight, early refresh, and the rules of coherence.

A cached value carries the snapshot that it was read under, a change carries its transaction id, and a value is
served if and only if every change of its key is visible in its snapshot (`docs/adr/0014`). Knows no domain, no HTTP
and no transport of hints: keys, loads, what a change purges and settings are given to it.

    coherence, floors, lease, marker, token   the rules, without I/O: `make cache-model` explores them
    early, breaker                            when to load before time, when to leave a broken level alone
    l1, l2                                    in process, in Redis
    flight                                    one load for many callers
    tail, sweeper                             learning changes, forgetting them
    levels                                    all of it together: `Cache.get_many`
"""
