// The clients of both protocols, as applications use them. Usage: node clients.mjs URL TOKEN CALENDAR
// Each follows the calendar, waits for its first answer, has an event written, and waits for that.
// One line of JSON for each: its name and the titles that it was told of.
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";
import WebSocket from "ws";

const [url, token, calendar] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}` };
const asked = {
  query: "subscription ($c: UUID!) { changes(calendarId: $c) { changes { event { title } } } }",
  variables: { c: calendar },
};

async function write(title) {
  const day = "2026-11-02T";
  const response = await fetch(new URL("/api/events", url), {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ calendar_id: calendar, title, start_time: `${day}09:00:00Z`, end_time: `${day}10:00:00Z` }),
  });
  if (response.status !== 201) throw new Error(await response.text());
}

async function follow(name, client) {
  const titles = [];
  for await (const { data, errors } of client.iterate(asked)) {
    if (errors) throw new Error(JSON.stringify(errors));
    titles.push(...data.changes.changes.map((one) => one.event.title));
    if (titles.length) break;
    await write(name);
  }
  await client.dispose();
  console.log(JSON.stringify({ name, titles }));
}

const socket = { url: url.replace("http", "ws"), webSocketImpl: WebSocket, connectionParams: { Authorization: headers.authorization } };
await follow("graphql-ws", createWs({ ...socket, retryAttempts: 0 }));
await follow("graphql-sse", createSse({ url, headers, retryAttempts: 0 }));
process.exit(0);
