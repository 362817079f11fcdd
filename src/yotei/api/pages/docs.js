// Shows /openapi.json with Swagger UI. Its version 4 draws OpenAPI 3.0 only, so what 3.1 says in the words of
// JSON Schema 2020-12 is put into those of 3.0 first: for display, the document itself stays as it is.
"use strict";

const mapValues = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));

const isNull = (schema) => schema && schema.type === "null";

// One schema: null as a type -> nullable, const -> enum, examples -> example, exclusive bounds as flags.
function schemaFor30(schema) {
  if (typeof schema !== "object" || schema === null) return schema === true ? {} : schema;
  const { const: only, examples, exclusiveMinimum, exclusiveMaximum, ...rest } = schema;
  if (only !== undefined) rest.enum = [only];
  if (Array.isArray(examples) && examples.length && rest.example === undefined) {
    // Some generators write `{"value": …}` here, as in the examples of a media type.
    const first = examples[0];
    rest.example = first && typeof first === "object" && "value" in first ? first.value : first;
  }
  for (const [bound, limit] of [["Minimum", exclusiveMinimum], ["Maximum", exclusiveMaximum]]) {
    if (typeof limit === "number") Object.assign(rest, { [bound.toLowerCase()]: limit, [`exclusive${bound}`]: true });
  }
  if (Array.isArray(rest.type)) {
    const types = rest.type.filter((type) => type !== "null");
    if (types.length < rest.type.length) rest.nullable = true;
    delete rest.type;
    if (types.length === 1) rest.type = types[0];
    else if (types.length) rest.anyOf = types.map((type) => ({ type }));
  }
  for (const choice of ["oneOf", "anyOf"]) {
    if (!Array.isArray(rest[choice]) || !rest[choice].some(isNull)) continue;
    const others = rest[choice].filter((one) => !isNull(one));
    delete rest[choice];
    rest.nullable = true;
    if (others.length > 1) rest[choice] = others;
    else if (others.length && others[0].$ref) rest.allOf = [...(rest.allOf || []), others[0]];
    else if (others.length) return schemaFor30({ ...others[0], ...rest });
  }
  for (const place of ["properties", "patternProperties"]) {
    if (rest[place]) rest[place] = mapValues(rest[place], schemaFor30);
  }
  for (const place of ["items", "additionalProperties", "not"]) {
    if (typeof rest[place] === "object") rest[place] = schemaFor30(rest[place]);
  }
  for (const place of ["allOf", "anyOf", "oneOf"]) {
    if (Array.isArray(rest[place])) rest[place] = rest[place].map(schemaFor30);
  }
  return rest;
}

// All the schemas of a document, wherever one may stand; examples are data and stay untouched.
function schemasFor30(node) {
  if (Array.isArray(node)) return node.map(schemasFor30);
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(Object.entries(node).map(([name, value]) => {
    if (name === "schema") return [name, schemaFor30(value)];
    if (name === "example" || name === "examples") return [name, value];
    return [name, schemasFor30(value)];
  }));
}

function documentFor30(description) {
  if (!String(description.openapi).startsWith("3.1")) return description;
  const { webhooks, jsonSchemaDialect, components = {}, ...rest } = description;
  const { schemas = {}, ...others } = components;
  return {
    ...schemasFor30(rest),
    components: { ...schemasFor30(others), schemas: mapValues(schemas, schemaFor30) },
    openapi: "3.0.3",
  };
}

async function show() {
  const place = document.getElementById("docs");
  try {
    const response = await fetch("/openapi.json", { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`/openapi.json answered ${response.status} ${response.statusText}`);
    const spec = documentFor30(await response.json());
    place.replaceChildren();
    SwaggerUIBundle({
      spec,
      domNode: place,
      deepLinking: true,
      docExpansion: "list",
      defaultModelsExpandDepth: 0,
      displayRequestDuration: true,
      filter: true,
      persistAuthorization: false,
      syntaxHighlight: { theme: "agate" },
      tryItOutEnabled: false,
      validatorUrl: null,
    });
  } catch (error) {
    const notice = document.createElement("p");
    notice.className = "notice failed";
    notice.setAttribute("role", "alert");
    notice.textContent = `The API description cannot be shown: ${error.message}`;
    place.replaceChildren(notice);
  }
}

show();
