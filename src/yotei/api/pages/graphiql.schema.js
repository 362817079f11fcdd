// The schema browser: types and fields from introspection, a search, and a button that writes a query for a root field.
"use strict";

const INTROSPECTION = `query Schema {
  __schema {
    queryType { name }
    mutationType { name }
    subscriptionType { name }
    types {
      kind name description
      fields(includeDeprecated: true) {
        name description isDeprecated deprecationReason
        args { name description defaultValue type { ...Type } }
        type { ...Type }
      }
      inputFields { name description defaultValue type { ...Type } }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
      possibleTypes { name }
    }
  }
}
fragment Type on __Type {
  kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }
}`;

const SEARCH_RESULTS_MAX = 60;

const typeText = (type) =>
  type.kind === "NON_NULL" ? `${typeText(type.ofType)}!` : type.kind === "LIST" ? `[${typeText(type.ofType)}]` : type.name;

const namedType = (type) => (type.ofType ? namedType(type.ofType) : type.name);

// An element with a class, attributes and children; text is never read as HTML.
function element(tag, { on, ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (on) made.addEventListener("click", on);
  made.append(...children);
  return made;
}

class SchemaBrowser {
  // `insert` gets the text of a query and its variables.
  constructor({ place, trail, search, insert }) {
    Object.assign(this, { place, trail, search, insert, types: new Map(), roots: [], way: [] });
    search.addEventListener("input", () => this.draw());
  }

  load(schema) {
    this.types = new Map(schema.types.map((type) => [type.name, type]));
    this.roots = [["query", schema.queryType], ["mutation", schema.mutationType], ["subscription", schema.subscriptionType]]
      .filter(([, root]) => root)
      .map(([operation, root]) => [operation, root.name]);
    this.way = this.way.filter((name) => this.types.has(name));
    this.draw();
  }

  say(text) {
    this.trail.replaceChildren();
    this.place.replaceChildren(element("p", {}, text));
  }

  open(name) {
    const before = this.way.indexOf(name);
    this.way = before < 0 ? [...this.way, name] : this.way.slice(0, before + 1);
    this.search.value = "";
    this.draw();
    this.place.focus();
    this.place.scrollTop = 0;
  }

  draw() {
    if (!this.types.size) return;
    const wanted = this.search.value.trim().toLowerCase();
    const name = this.way.at(-1);
    this.drawTrail();
    this.place.replaceChildren(...(wanted ? this.found(wanted) : name ? this.type(this.types.get(name)) : this.start()));
  }

  drawTrail() {
    const home = () => { this.way = []; this.search.value = ""; this.draw(); this.place.focus(); };
    const steps = this.way.slice(0, -1).map((name) => this.link(name));
    if (this.way.length) steps.unshift(element("button", { type: "button", class: "link", on: home }, "All types"));
    this.trail.replaceChildren(...steps.flatMap((step) => [step, " › "]));
  }

  link(name, text = name) {
    return element("button", { type: "button", class: "link", on: () => this.open(name) }, text);
  }

  start() {
    const others = [...this.types.values()]
      .filter(({ name }) => !name.startsWith("__") && !this.roots.some(([, root]) => root === name))
      .sort((a, b) => a.name.localeCompare(b.name));
    return [
      element("h4", {}, "Where a document begins"),
      element("ul", {}, ...this.roots.map(([operation, name]) => element("li", {}, `${operation}: `, this.link(name)))),
      element("h4", {}, "Types"),
      element("ul", {}, ...others.map(({ name, kind }) =>
        element("li", {}, this.link(name), element("small", {}, ` ${kind.toLowerCase().replace("_", " ")}`)))),
    ];
  }

  found(wanted) {
    const hits = [];
    for (const type of this.types.values()) {
      if (type.name.startsWith("__")) continue;
      if (type.name.toLowerCase().includes(wanted)) hits.push(element("li", {}, this.link(type.name)));
      for (const part of [...(type.fields || []), ...(type.inputFields || []), ...(type.enumValues || [])]) {
        if (part.name.toLowerCase().includes(wanted)) {
          hits.push(element("li", {}, this.link(type.name, `${type.name}.${part.name}`), ...this.described(part)));
        }
      }
    }
    const more = hits.length - SEARCH_RESULTS_MAX;
    return [
      element("p", { role: "status" }, hits.length === 1 ? "1 hit" : `${hits.length} hits`),
      element("ul", {}, ...hits.slice(0, SEARCH_RESULTS_MAX)),
      ...(more > 0 ? [element("p", {}, `and ${more} more`)] : []),
    ];
  }

  type(type) {
    const operation = this.roots.find(([, name]) => name === type.name)?.[0];
    const parts = [element("h3", {}, type.name), ...this.described(type)];
    const list = (title, items) => items?.length && parts.push(element("h4", {}, title), element("ul", {}, ...items));
    list("Fields", type.fields?.map((field) => this.field(field, operation)));
    list("Input fields", type.inputFields?.map((field) => this.field(field)));
    list("Values", type.enumValues?.map((one) => element("li", {}, this.name(one), ...this.described(one))));
    list("May be", type.possibleTypes?.map(({ name }) => element("li", {}, this.link(name))));
    return parts;
  }

  field(field, operation) {
    const code = element("code", {}, this.name(field));
    const separated = (field.args || []).flatMap((arg, index) => [index ? ", " : "", `${arg.name}: `, this.typeLink(arg.type)]);
    if (separated.length) code.append("(", ...separated, ")");
    code.append(": ", this.typeLink(field.type));
    if (field.defaultValue) code.append(` = ${field.defaultValue}`);
    const item = element("li", {}, code, ...this.described(field));
    if (operation) {
      const write = () => this.insert(...this.document(operation, field));
      item.prepend(element("button", { type: "button", class: "insert", "aria-label": `Write a ${operation} of ${field.name}`, on: write }, "use"));
    }
    return item;
  }

  name(part) {
    return element("code", part.isDeprecated ? { class: "deprecated" } : {}, part.name);
  }

  typeLink(type) {
    return this.link(namedType(type), typeText(type));
  }

  described(part) {
    const texts = [part.description, part.isDeprecated && `Deprecated: ${part.deprecationReason || "no reason given"}`];
    return texts.filter(Boolean).map((text) => element("p", {}, text));
  }

  // A document for one root field: its required arguments as variables, its plain fields, and one level below.
  document(operation, field) {
    const needed = field.args.filter((arg) => arg.type.kind === "NON_NULL" && arg.defaultValue === null);
    const declared = needed.map((arg) => `$${arg.name}: ${typeText(arg.type)}`).join(", ");
    const passed = needed.map((arg) => `${arg.name}: $${arg.name}`).join(", ");
    const title = field.name[0].toUpperCase() + field.name.slice(1);
    const text = `${operation} ${title}${declared && `(${declared})`} { ${field.name}${passed && `(${passed})`}${this.selection(field.type, 2)} }`;
    return [text, Object.fromEntries(needed.map((arg) => [arg.name, null]))];
  }

  selection(type, levels) {
    const { fields, possibleTypes } = this.types.get(namedType(type)) || {};
    if (!fields) return possibleTypes ? " { __typename }" : "";
    const simple = fields.filter(({ args, isDeprecated }) => !isDeprecated && !args.some((arg) => arg.type.kind === "NON_NULL"));
    const inner = simple.map((field) => {
      const leaf = !this.types.get(namedType(field.type))?.fields && !this.types.get(namedType(field.type))?.possibleTypes;
      return leaf ? field.name : levels > 1 ? `${field.name}${this.selection(field.type, levels - 1)}` : "";
    });
    return ` { ${inner.filter(Boolean).join(" ") || "__typename"} }`;
  }
}
