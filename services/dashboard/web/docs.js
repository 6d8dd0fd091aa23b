// openapi.json -> a plain list of calls, with a form to try those that only read. No libraries: it must work without a network.

const make = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};

const base = new URL("../..", location.href).pathname.replace(/\/$/, "");

async function main() {
  const api = await (await fetch("openapi.json")).json();
  const place = document.getElementById("api");
  place.replaceChildren(...Object.entries(api.paths).flatMap(([path, calls]) => Object.entries(calls).map(([method, call]) => section(api, path, method, call))));
}

function section(api, path, method, call) {
  const title = make("summary", {}, make("b", { className: `lp-${method}`, textContent: method.toUpperCase() }), make("code", { textContent: path }), make("span", { textContent: call.summary ?? "" }));
  const body = make("div", {}, ...parameters(call), ...request(api, call), ...answers(api, call));
  if (method === "get") body.append(tryOut(path, call));
  return make("details", { className: "lp-card" }, title, body);
}

function parameters(call) {
  const found = (call.parameters ?? []).filter((one) => one.in !== "header");
  return found.length ? [make("h3", { textContent: "Parameters" }), make("ul", {}, ...found.map((one) => make("li", {}, make("code", { textContent: one.name }), ` ${one.in}${one.required ? ", required" : ""} ${one.description ?? ""}`)))] : [];
}

function request(api, call) {
  const schema = call.requestBody?.content?.["application/json"]?.schema;
  return schema ? [make("h3", { textContent: "Body" }), make("pre", { textContent: show(api, schema) })] : [];
}

function answers(api, call) {
  return Object.entries(call.responses).flatMap(([status, answer]) => {
    const schema = answer.content?.["application/json"]?.schema;
    return [make("h3", { textContent: `${status} ${answer.description ?? ""}` }), ...(schema ? [make("pre", { textContent: show(api, schema) })] : [])];
  });
}

/** A schema as the shape of its JSON: names and types, references followed once. */
function show(api, schema, depth = 0) {
  const found = schema.$ref ? api.components.schemas[schema.$ref.split("/").at(-1)] : schema;
  const pad = "  ".repeat(depth);
  if (found.anyOf) return found.anyOf.map((one) => show(api, one, depth)).join(" | ");
  if (found.enum) return found.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.type === "array") return `[${found.items ? show(api, found.items, depth) : "..."}]`;
  if (found.properties && depth < 5) {
    const required = found.required ?? [];
    const lines = Object.entries(found.properties).map(([name, one]) => `${pad}  ${name}${required.includes(name) ? "" : "?"}: ${show(api, one, depth + 1)}${one.description ? `  // ${one.description}` : ""}`);
    return `{\n${lines.join("\n")}\n${pad}}`;
  }
  return found.format ?? found.type ?? "any";
}

function tryOut(path, call) {
  const fields = (call.parameters ?? []).filter((one) => one.in !== "header").map((one) => make("input", { name: one.name, placeholder: one.name, required: Boolean(one.required) }));
  for (const field of fields) field.setAttribute("aria-label", field.name);
  const result = make("pre", { hidden: true });
  const form = make("form", {}, ...fields, make("button", { className: "lp-button", type: "submit", textContent: "Try it" }));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    result.hidden = false;
    result.textContent = "…";
    result.textContent = await answer(address(path, call, fields));
  });
  return make("div", {}, form, result);
}

function address(path, call, fields) {
  const values = Object.fromEntries(fields.map((field) => [field.name, field.value]));
  const filled = path.replace(/\{(\w+)(?::path)?\}/g, (_, name) => values[name].split("/").map(encodeURIComponent).join("/"));
  const query = new URLSearchParams((call.parameters ?? []).filter((one) => one.in === "query" && values[one.name]).map((one) => [one.name, values[one.name]]));
  return query.size ? `${filled}?${query}` : filled;
}

async function answer(url) {
  const response = await fetch(base + url);
  const type = response.headers.get("content-type") ?? "";
  const text = type.includes("json") ? JSON.stringify(await response.json(), null, 2) : `${type}, ${(await response.blob()).size} bytes`;
  return `${response.status} ${url}\n${text.slice(0, 20_000)}`;
}

main();
