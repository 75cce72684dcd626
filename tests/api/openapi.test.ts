import { describe, expect, test } from "bun:test";
import { endpoints } from "../../lib/api/endpoints.ts";
import type { Endpoint } from "../../lib/api/endpoints/endpoint.ts";
import { openApiDocument } from "../../lib/api/openapi.ts";
import type { Operation } from "../../lib/api/openapi-types.ts";
import { DownloadStatus } from "../../lib/api/schemas.ts";
import { meaningOf } from "../../lib/protocol/errors.ts";

const document = await openApiDocument("1.2.3");
const all = Object.entries<Endpoint>(endpoints);

/** Yields every value in the document, with its path. */
function* walk(value: unknown, at = "#"): Generator<[at: string, value: unknown]> {
  yield [at, value];
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) yield* walk(inner, `${at}/${key}`);
}

function operationOf({ method, path }: Endpoint): Operation {
  return document.paths[path.replace(/:(\w+)/g, "{$1}")]![method.toLowerCase()]!;
}

describe("the OpenAPI document", () => {
  test("says what it is", () => {
    expect(document).toMatchObject({
      openapi: "3.1.0",
      info: { title: "File Download System", version: "1.2.3" },
      security: [{ token: [] }],
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    });
  });

  test("has every call, and no other", () => {
    const described = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method} ${path}`),
    );
    const expected = all.map(
      ([, { method, path }]) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, "{$1}")}`,
    );
    expect(described.toSorted()).toEqual(
      [...expected, "head /api/downloads/{download_id}/content"].toSorted(),
    );
  });

  test("has no two operations of one name", () => {
    const names = Object.values(document.paths).flatMap((operations) =>
      Object.values(operations).map(({ operationId }) => operationId),
    );
    expect(new Set(names).size).toBe(names.length);
  });

  test("refers only to what is there", () => {
    const known = Object.keys(document.components.schemas).map(
      (id) => `#/components/schemas/${id}`,
    );
    const referred = [...walk(document)].filter(([at]) => at.endsWith("/$ref"));
    expect(referred.length).toBeGreaterThan(10);
    for (const [at, target] of referred) expect(known, at).toContain(target as string);
  });

  test("is the same after a trip through JSON: nothing in it is undefined", () => {
    expect(JSON.parse(JSON.stringify(document))).toStrictEqual(document);
    expect([...walk(document)].filter(([, value]) => value === undefined)).toEqual([]);
  });

  test("keeps the words of zod's own schemas out", () => {
    const stray = [...walk(document)].filter(([at]) => /\/\$(?:defs|schema)$/.test(at));
    expect(stray).toEqual([]);
  });

  test("answers HEAD without a body", () => {
    const { get, head } = document.paths["/api/downloads/{download_id}/content"]!;
    expect(Object.keys(head!.responses)).toEqual(Object.keys(get!.responses));
    for (const response of Object.values(head!.responses))
      expect(response).not.toHaveProperty("content");
    expect(head!.responses["200"]?.headers).toHaveProperty("ETag");
  });

  test("tells what a request may hold, and what it must", () => {
    expect(document.components.schemas["NewDownload"]).toMatchObject({
      required: ["client_id"],
      additionalProperties: false,
      properties: {
        file_path: {
          description:
            "file_to_download.txt where neither it nor paths is given; {date} stands for the date at the client",
        },
      },
    });
    expect(document.components.schemas["NewEnrolmentKey"]).toMatchObject({
      required: ["name", "ids"],
      properties: { replace: { description: expect.stringMatching(/^lets .*; false where not/) } },
    });
    expect(operationOf(endpoints.listDownloads).parameters).toContainEqual(
      expect.objectContaining({
        name: "limit",
        in: "query",
        required: false,
        schema: expect.objectContaining({ type: "integer", minimum: 1, maximum: 1000 }),
      }),
    );
  });
});

describe("generators of types", () => {
  test("are told of no default as one: openapi-typescript asks for such fields", () => {
    const defaults = [...walk(document)].filter(([at]) => at.endsWith("/default"));
    expect(defaults).toEqual([]);
  });

  test("are told every name: there is no object of any fields but labels", () => {
    const open = [...walk(document)].filter(
      ([at, value]) => /(?<!\/labels)\/additionalProperties$/.test(at) && value !== false,
    );
    expect(open).toEqual([]);
    const { downloads } = document.components.schemas["Totals"]!["properties"] as {
      downloads: { properties: object };
    };
    expect(Object.keys(downloads.properties)).toEqual(DownloadStatus.options);
  });
});

describe.each(all)("the operation %s", (name, endpoint) => {
  const operation = operationOf(endpoint);

  test("is named and asks for a token unless it is open", () => {
    expect(operation).toMatchObject({ operationId: name, summary: endpoint.summary });
    expect(operation.security).toEqual(endpoint.role === "anyone" ? [] : undefined);
    const asks = endpoint.role !== "anyone" || endpoint.errors.includes("unauthorized");
    expect("401" in operation.responses).toBe(asks);
  });

  test("takes what the endpoint takes", () => {
    const inPath = [...endpoint.path.matchAll(/:(\w+)/g)].map((match) => match[1]!);
    const described = operation.parameters?.filter((parameter) => parameter.in === "path") ?? [];
    expect(described.map((parameter) => parameter.name)).toEqual(inPath);
    expect(described.every((parameter) => parameter.required)).toBe(true);
    expect(operation.requestBody !== undefined).toBe(endpoint.body !== undefined);
    // Every call can answer 400, even one without input, because unknown fields are refused.
    expect(operation.responses).toHaveProperty("400");
  });

  test("answers what the endpoint answers, and names the codes of its errors", () => {
    for (const { status, description } of endpoint.answers) {
      expect(operation.responses[status]?.description).toBe(description);
    }
    for (const code of [...endpoint.errors, "internal_error" as const]) {
      const response = operation.responses[meaningOf(code).http!];
      const schema = response?.content?.["application/json"]?.schema;
      expect(schema).toHaveProperty("$ref", "#/components/schemas/Error");
      expect(schema).toHaveProperty("properties.code.enum", expect.arrayContaining([code]));
    }
  });
});
