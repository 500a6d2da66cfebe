// Reading an OpenAPI description.

export interface Description {
  paths: Record<string, Record<string, RawOperation>>;
  components?: { schemas?: Record<string, unknown> };
}

interface Body {
  content?: Record<string, { schema?: unknown }>;
}

interface RawOperation {
  description?: string;
  summary?: string;
  requestBody?: Body;
  responses?: Record<string, Body & { description?: string }>;
}

export interface Operation {
  method: string;
  address: string;
  description: string;
  takes: unknown;
  gives: [string, unknown][];
  errors: string[];
}

export function operations(description: Description): Operation[] {
  return Object.entries(description.paths).flatMap(([address, methods]) =>
    Object.entries(methods).map(([method, it]) => {
      const responses = Object.entries(it.responses ?? {});
      const good = responses.find(([status]) => status.startsWith("2"))?.[1];
      return {
        method,
        address,
        description: it.description ?? it.summary ?? "",
        takes: it.requestBody?.content?.["application/json"]?.schema,
        gives: Object.entries(good?.content ?? {}).map(([type, { schema }]): [string, unknown] => [type, schema]),
        errors: responses.filter(([status]) => /^[45]/.test(status)).map(([status, { description: text }]) => `${status} ${text ?? ""}`),
      };
    }));
}

/** A schema with its references written out; one that holds itself ends in its name. */
export function resolved(schema: unknown, description: Description, within: readonly string[] = []): unknown {
  if (Array.isArray(schema)) return schema.map((part) => resolved(part, description, within));
  if (schema === null || typeof schema !== "object") return schema;
  const reference = (schema as { $ref?: unknown }).$ref;
  if (typeof reference === "string") {
    const name = reference.split("/").at(-1) ?? "";
    return within.includes(name) ? name : resolved(description.components?.schemas?.[name], description, [...within, name]);
  }
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key]) => key !== "title")
      .map(([key, value]) => [key, resolved(value, description, within)]));
}
