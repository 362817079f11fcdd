"""The GraphQL door: the read model over `/graphql`, on Strawberry. Reads the document, calls the domains, writes the
answer; no rules.

    door        HTTP: methods, media types, the answer's status         (GraphQL over HTTP)
    documents   parse, bound and validate a document once, by its text  (GraphQL October 2021, 5)
    bounds      how deep and how repetitive a document may be
    failures    what a failure looks like in `errors`                   (GraphQL October 2021, 7.1.2)
    schema      the schema; `query` its root, `types` its objects, `choices` its enums, `scalars`, `connections`
    reading     what one request reads by: the viewer, the bounds, a loader for each kind of thing
"""
