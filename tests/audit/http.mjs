// The audit of graphql-http, the reference implementation of GraphQL over HTTP. Usage: node http.mjs URL TOKEN
// One line of JSON for each check: its id, its name, `ok`, `notice`, `warn` or `error`, and the reason.
import { auditServer } from "graphql-http";

const [url, token] = process.argv.slice(2);
const fetchFn = (address, init = {}) =>
  fetch(address, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });

for (const { id, name, status, reason } of await auditServer({ url, fetchFn })) {
  console.log(JSON.stringify({ id, name, status, reason }));
}
