// Lays out a GraphQL document: one field a line, two spaces a level, comments kept. (GraphQL, October 2021, section 2.1)
"use strict";

const GRAPHQL_TOKEN = /"""[^]*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*|\.\.\.|[A-Za-z_]\w*|-?\d[\w.+-]*|[{}()[\]:=!@$|&]/g;

// What the document says, without its layout: commas are layout too.
function graphQLTokens(text) {
  return [...text.matchAll(GRAPHQL_TOKEN)].map(([token]) => token.trimEnd());
}

// Raises when it meets what is no GraphQL, and rather than to say something else than before.
function formatGraphQL(text) {
  const strange = text.replace(GRAPHQL_TOKEN, "").match(/[^\s,\ufeff]/);
  if (strange) throw new Error(`Not formatted: ${strange[0]} does not belong into a document`);
  const laidOut = layOut(text);
  const before = graphQLTokens(text);
  const after = graphQLTokens(laidOut);
  if (before.length !== after.length || before.some((token, index) => token !== after[index])) {
    throw new Error("Not formatted: this document is beyond the formatter");
  }
  return laidOut;
}

function layOut(text) {
  const lines = [];
  let line = "";
  let depth = 0;
  let parens = 0;
  let previous = "";
  // What the name to come belongs to: "" for a field of its own, else "alias", "spread", "directive" or "header".
  let owner = "header";

  const end = () => {
    if (line.trim()) lines.push("  ".repeat(depth) + line.trim());
    line = "";
  };

  for (const [token] of text.matchAll(GRAPHQL_TOKEN)) {
    if (token.startsWith("#")) {
      end();
      lines.push("  ".repeat(depth) + token.trimEnd());
    } else if (parens && token !== "(" && token !== ")") {
      // Arguments, variables and values stay on the line of their field.
      const glued = /^[)\]}:!,]$/.test(token) || /^[([{$@]$/.test(previous) || previous === "";
      const apart = token === "$" || token === "=" || previous === "=" || previous === ":";
      const comma = /^[\w$"@-]/.test(token) && /[\w"\]}!]$/.test(previous) && token !== "@" && !apart;
      const first = /[([{]$/.test(previous);
      if (token === "$" && !first && !/[:=]$/.test(previous)) line += ", ";
      else if (comma) line += ", ";
      else if (!glued || apart && previous !== "$") line += first && token !== "=" ? "" : " ";
      line += token;
    } else if (token === "(") {
      parens += 1;
      line = line.trimEnd() + "(";
    } else if (token === ")") {
      parens -= 1;
      line += ")";
    } else if (token === "{") {
      line = line.trim() ? line.trimEnd() + " {" : "{";
      end();
      depth += 1;
      owner = "";
    } else if (token === "}") {
      end();
      depth = Math.max(0, depth - 1);
      lines.push("  ".repeat(depth) + "}");
      if (depth === 0) {
        lines.push("");
        owner = "header";
      } else owner = "";
    } else if (token === "...") {
      end();
      line = "...";
      owner = "spread";
    } else if (token === ":") {
      line = line.trimEnd() + ": ";
      owner = "alias";
    } else if (token === "@") {
      line = line.trimEnd() + " @";
      if (owner !== "header") owner = "directive";
    } else if (depth === 0) {
      line += (line && !/[@$]$/.test(line) ? " " : "") + token;
    } else {
      // A name within a selection: the rest of what its owner began, or a field of its own.
      if (owner === "spread") {
        line += (token === "on" || line !== "..." ? " " : "") + token;
        owner = token === "on" ? "spread" : "";
      } else if (owner === "alias" || owner === "directive") {
        line += token;
        owner = "";
      } else {
        end();
        line = token;
      }
    }
    previous = token;
  }
  end();
  return lines.join("\n").replace(/\n{3,}/g, "\n\n").trim() + "\n";
}
