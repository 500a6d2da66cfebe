// The API's description, written out from /openapi.json without loading anything from elsewhere.

import { el } from "./dom.js";
import { get } from "./client.js";

const description = await get("/openapi.json");

function resolved(schema, within = []) {
  if (Array.isArray(schema)) return schema.map((part) => resolved(part, within));
  if (schema === null || typeof schema !== "object") return schema;
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return within.includes(name) ? name : resolved(description.components.schemas[name], [...within, name]);
  }
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== "title").map(([key, value]) => [key, resolved(value, within)]));
}

const code = (value) => el("pre", { tabindex: "0" }, el("code", {}, JSON.stringify(resolved(value), null, 1)));

function operation(address, method, it) {
  const { 200: good, default: otherwise, ...bad } = it.responses;
  const given = it.requestBody?.content["application/json"].schema;
  const types = Object.entries(good.content).map(([type, { schema }]) =>
    el("details", {}, el("summary", {}, `Gives ${type}`), code(schema)));
  const errors = Object.entries(bad).map(([status, { description: text }]) => `${status} ${text}`).join(" · ");
  return el("section", { class: "operation" },
    el("h2", {}, `${method.toUpperCase()} ${address}`),
    el("p", {}, it.description),
    good.description === "Successful Response" ? null : el("p", {}, good.description.replaceAll("`", "")),
    given ? el("details", {}, el("summary", {}, "Takes application/json"), code(given)) : null,
    ...types,
    el("details", {}, el("summary", {}, `Errors: ${errors || "any, as problem details"}`), code(otherwise.content["application/problem+json"].schema)));
}

document.getElementById("operations").replaceChildren(
  ...Object.entries(description.paths).flatMap(([address, methods]) =>
    Object.entries(methods).map(([method, it]) => operation(address, method, it))));
