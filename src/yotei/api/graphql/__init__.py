"""The GraphQL door: reading and writing over `/graphql`, on Strawberry. Reads the document, calls the domains, writes
the answer; no rules.

    door        HTTP: methods, media types, the answer's status         (GraphQL over HTTP)
    documents   parse, bound and validate a document once, by its text  (GraphQL October 2021, 5)
    bounds      how deep and how repetitive a document may be
    failures    what a failure looks like in `errors`                   (GraphQL October 2021, 7.1.2)
    schema      the schema; `query` and `mutations` its roots, `types` its objects, `choices` its enums, `scalars`,
                `connections` (Relay, Cursor Connections), `node_ids` (Relay, Object Identification)
    reading     what one request reads by: the viewer, the bounds, the moment
    writing     how one request writes: a transaction and a key for each mutation
    inputs      from the input of a mutation to the struct that its domain takes
    payloads    what every mutation answers; `user_errors`, refusals as data
    context     what the library hands to every resolver: reading and writing
"""
