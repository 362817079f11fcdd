// The GraphQL explorer: sends what is in the panes, shows the answer and what it cost, keeps a history.
// localStorage holds queries and variables; token and headers go into sessionStorage only, which ends with the tab.
"use strict";

const HISTORY_MAX = 30;
const COLOURED_CHARS_MAX = 400_000;
const STORED = "yotei.graphql.";
const FIRST_QUERY = `# Ctrl-Enter runs this. "use" in the schema writes more.
query First {
  __typename
}
`;

const byId = (id) => document.getElementById(id);
const [query, variables, headers, token, history, status, answer] =
  ["query", "variables", "headers", "token", "history", "status", "answer"].map(byId);
let underWay = null;

// Storage can be switched off in the browser; the page works without.
function stored(storage, name) {
  try { return window[storage].getItem(STORED + name); } catch { return null; }
}

function store(storage, name, value) {
  try { window[storage].setItem(STORED + name, value); } catch { /* not kept, then */ }
}

function say(text, failed = false) {
  status.textContent = text;
  status.classList.toggle("failed", failed);
}

function jsonObject(text, what) {
  let value;
  try { value = JSON.parse(text.trim() || "{}"); } catch (error) { throw new Error(`${what}: ${error.message}`); }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${what}: a JSON object is needed`);
  return value;
}

async function post(body, signal) {
  const sent = { Accept: "application/graphql-response+json, application/json", "Content-Type": "application/json" };
  if (token.value.trim()) sent.Authorization = `Bearer ${token.value.trim().replace(/^Bearer\s+/i, "")}`;
  Object.assign(sent, jsonObject(headers.value, "Headers"));
  return fetch(location.pathname, { method: "POST", headers: sent, body: JSON.stringify(body), signal });
}

// The operation that the cursor stands in, when the document has several with names.
function operationAtCursor() {
  const text = query.value.replace(/#[^\n]*|"""[^]*?"""|"(?:\\.|[^"\\\n])*"/g, (skipped) => " ".repeat(skipped.length));
  const found = [...text.matchAll(/\b(?:query|mutation|subscription)\s+([A-Za-z_]\w*)[^{}]*\{/g)];
  if (found.length < 2) return undefined;
  return (found.filter(({ index }) => index <= query.selectionStart).at(-1) || found[0])[1];
}

// Server-Timing: db;dur=1.24;desc="2 statements", total;dur=3.10
function costOf(header) {
  const parts = [...(header || "").matchAll(/([\w-]+)((?:;\w+=(?:"[^"]*"|[^;,]*))*)/g)];
  const costs = parts.map(([, name, rest]) => {
    const given = Object.fromEntries([...rest.matchAll(/;(\w+)=(?:"([^"]*)"|([^;,]*))/g)].map((one) => [one[1], one[2] ?? one[3]]));
    return [given.desc, given.dur && `${name} ${given.dur} ms`].filter(Boolean).join(", ");
  });
  return costs.filter(Boolean).join(", ");
}

const JSON_TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

function show(text) {
  if (text.length > COLOURED_CHARS_MAX) {
    answer.textContent = text;
    return;
  }
  const pieces = [];
  let end = 0;
  for (const found of text.matchAll(JSON_TOKEN)) {
    const [all, string, colon, word] = found;
    const kind = colon ? "key" : string ? "string" : word ? "word" : "number";
    pieces.push(text.slice(end, found.index), element("span", { class: kind }, string || all), colon || "");
    end = found.index + all.length;
  }
  answer.replaceChildren(...pieces, text.slice(end));
}

async function run() {
  underWay?.abort();
  const mine = underWay = new AbortController();
  keep();
  say("Sent, waiting for the answer …");
  const started = performance.now();
  try {
    const body = { query: query.value, variables: jsonObject(variables.value, "Variables") };
    const operationName = operationAtCursor();
    if (operationName) body.operationName = operationName;
    const response = await post(body, mine.signal);
    const text = await response.text();
    const elapsed = `${(performance.now() - started).toFixed(1)} ms here`;
    let value;
    try { value = JSON.parse(text); } catch { value = undefined; }
    show(value === undefined ? text : JSON.stringify(value, null, 2));
    const errors = value?.errors?.length || 0;
    const said = [`${response.status} ${response.statusText}`.trim(), errors && `${errors} error${errors > 1 ? "s" : ""}`,
      costOf(response.headers.get("server-timing")), elapsed];
    say(said.filter(Boolean).join(" · "), !response.ok || errors > 0);
    remember();
  } catch (error) {
    if (mine.signal.aborted) return;
    answer.replaceChildren();
    say(error.message, true);
  }
}

function pastQueries() {
  try {
    const past = JSON.parse(stored("localStorage", "history"));
    return Array.isArray(past) ? past : [];
  } catch { return []; }
}

function remember() {
  const one = { query: query.value, variables: variables.value };
  const past = pastQueries().filter((other) => other.query !== one.query || other.variables !== one.variables);
  store("localStorage", "history", JSON.stringify([one, ...past].slice(0, HISTORY_MAX)));
  drawHistory();
}

function drawHistory() {
  const title = ({ query: text }) => text.replace(/#[^\n]*/g, "").replace(/\s+/g, " ").trim().slice(0, 60) || "(empty)";
  const options = pastQueries().map((one, index) => element("option", { value: index }, title(one)));
  history.replaceChildren(element("option", { value: "" }, options.length ? "choose …" : "–"), ...options);
}

function keep() {
  store("localStorage", "query", query.value);
  store("localStorage", "variables", variables.value);
  store("sessionStorage", "token", token.value);
  store("sessionStorage", "headers", headers.value);
}

function write(text, values = undefined) {
  query.value = text;
  if (values !== undefined) variables.value = values;
  keep();
  query.focus();
}

function format() {
  try {
    query.value = formatGraphQL(query.value);
    if (variables.value.trim()) variables.value = JSON.stringify(jsonObject(variables.value, "Variables"), null, 2);
    say("Formatted.");
  } catch (error) {
    say(error.message, true);
  }
  keep();
}

// Tab indents and Shift-Tab takes back, the selected lines or at the cursor. After Escape both move on as elsewhere,
// so that the keyboard is not trapped (WCAG 2.1.2).
function editKeys(field) {
  let leaving = false;
  field.addEventListener("blur", () => { leaving = false; });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && !leaving && !event.ctrlKey && !event.altKey) {
      event.preventDefault();
      indent(field, event.shiftKey);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      const before = field.value.slice(0, field.selectionStart);
      const space = before.slice(before.lastIndexOf("\n") + 1).match(/^\s*/)[0];
      replace(field, field.selectionStart, field.selectionEnd, `\n${space}${/[{[(]\s*$/.test(before) ? "  " : ""}`);
    }
    if (event.key !== "Shift") leaving = event.key === "Escape";
  });
}

function indent(field, back) {
  const { selectionStart: start, selectionEnd: end, value } = field;
  if (start === end && !back) {
    replace(field, start, end, "  ");
    return;
  }
  const from = value.lastIndexOf("\n", start - 1) + 1;
  const lines = value.slice(from, end).replace(back ? /^ {1,2}/gm : /^/gm, back ? "" : "  ");
  replace(field, from, end, lines);
  field.setSelectionRange(start === end ? from + lines.length : from, from + lines.length);
}

// By the browser's own editing where it can, so that undo keeps working.
function replace(field, start, end, text) {
  field.setSelectionRange(start, end);
  if (!document.execCommand(text ? "insertText" : "delete", false, text)) field.setRangeText(text, start, end, "end");
}

async function loadSchema(browser) {
  browser.say("Loading the schema …");
  try {
    const response = await post({ query: INTROSPECTION, operationName: "Schema" });
    if (response.status === 401 && !token.value.trim()) {
      browser.say("Paste a token above, as `make run` or `yotei token create` prints it, and the schema is shown here.");
      return;
    }
    const { data, errors, detail } = await response.json();
    if (!data?.__schema) throw new Error(errors?.[0]?.message || detail || `${response.status} ${response.statusText}`);
    browser.load(data.__schema);
  } catch (error) {
    browser.say(`The schema cannot be shown: ${error.message}`);
  }
}

const browser = new SchemaBrowser({
  place: byId("schema"), trail: byId("trail"), search: byId("search"),
  insert: (text, values) => write(formatGraphQL(text), Object.keys(values).length ? JSON.stringify(values, null, 2) : ""),
});

query.value = stored("localStorage", "query") ?? FIRST_QUERY;
variables.value = stored("localStorage", "variables") ?? "";
token.value = stored("sessionStorage", "token") ?? "";
headers.value = stored("sessionStorage", "headers") ?? "";
[query, variables, headers].forEach(editKeys);
[query, variables, token, headers].forEach((field) => field.addEventListener("change", keep));
[token, headers].forEach((field) => field.addEventListener("change", () => loadSchema(browser)));
byId("run").addEventListener("click", run);
byId("format").addEventListener("click", format);
history.addEventListener("change", () => {
  const chosen = history.value === "" ? undefined : pastQueries()[Number(history.value)];
  if (chosen) write(chosen.query, chosen.variables);
  history.value = "";
});
document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  if (event.key === "Enter") {
    event.preventDefault();
    run();
  } else if (event.shiftKey && event.key.toLowerCase() === "f") {
    event.preventDefault();
    format();
  }
});
drawHistory();
loadSchema(browser);
