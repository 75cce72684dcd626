import * as z from "zod";
import { type ErrorCode, meaningOf } from "../protocol/errors.ts";
import { pauses } from "../util/fair-turns.ts";
import { endpoints } from "./endpoints.ts";
import type { Answer, Endpoint } from "./endpoints/endpoint.ts";
import type { ParamsOf } from "./endpoints/request.ts";
import type {
  JsonSchema,
  OpenApiDocument,
  Operation,
  Parameter,
  Response,
} from "./openapi-types.ts";
import { ApiError, PathParams } from "./schemas.ts";

/*
 * The OpenAPI document. It is generated from the table of endpoints and from the schemas that validate
 * requests, so it always agrees with them.
 */

/**
 * Generates the OpenAPI document of all REST calls. The work is split into short steps, so that it does not
 * block the event loop.
 * @param version of the server
 */
export async function openApiDocument(version: string): Promise<OpenApiDocument> {
  const schemas = new SchemaCollector();
  const pause = pauses();
  const paths: OpenApiDocument["paths"] = {};
  for (const [name, endpoint] of Object.entries<Endpoint>(endpoints)) {
    await pause();
    const path = (paths[endpoint.path.replace(/:(\w+)/g, "{$1}")] ??= {});
    const operation = describe(name, endpoint, schemas);
    path[endpoint.method.toLowerCase()] = operation;
    if (endpoint.head) path["head"] = withoutContent(operation);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "File Download System",
      description: "Pulls files off clients that dial out to the server.",
      version,
      license: { name: "MIT", identifier: "MIT" },
    },
    // The server's URL is relative to that of the document, because a proxy may serve this server under a
    // path.
    servers: [{ url: "." }],
    security: [{ token: [] }],
    paths,
    components: {
      schemas: schemas.named,
      securitySchemes: {
        token: {
          type: "http",
          scheme: "bearer",
          description:
            "API_TOKEN, a token made with it, or the cookie of a session; a server without API_TOKEN asks for none",
        },
      },
    },
  };
}

/**
 * Converts zod schemas to JSON schemas. Schemas with an id are collected in `named`, and other schemas refer
 * to them.
 */
class SchemaCollector {
  readonly named: Record<string, JsonSchema> = {};
  /** The JSON schemas converted so far, kept because many calls have the same parameters and errors. */
  readonly #converted = {
    input: new Map<z.ZodType, JsonSchema>(),
    output: new Map<z.ZodType, JsonSchema>(),
  };

  /** Converts a schema. @param io `input` for a schema of requests, `output` for one of answers */
  add(schema: z.ZodType, io: "input" | "output"): JsonSchema {
    const cached = this.#converted[io].get(schema);
    if (cached) return cached;
    const converted = this.#convert(schema, io);
    this.#converted[io].set(schema, converted);
    return converted;
  }

  #convert(schema: z.ZodType, io: "input" | "output"): JsonSchema {
    const override = ({ jsonSchema }: { jsonSchema: JsonSchema }) => {
      if (io === "input") moveDefaultToDescription(jsonSchema);
    };
    const text = JSON.stringify(z.toJSONSchema(schema, { io, override }));
    const {
      $schema: _,
      $defs,
      ...jsonSchema
    } = JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonSchema & {
      $defs?: Record<string, JsonSchema>;
    };
    Object.assign(this.named, $defs);
    return jsonSchema;
  }
}

/**
 * Moves the default value of a schema from `default` to `description`. With `default` in a request's schema,
 * type generators such as openapi-typescript make the field required.
 */
function moveDefaultToDescription(schema: JsonSchema): void {
  if (!("default" in schema)) return;
  const { default: value, description } = schema;
  const defaultNote = `${JSON.stringify(value)} where not given`;
  schema["description"] =
    description === undefined ? defaultNote : `${String(description)}; ${defaultNote}`;
  delete schema["default"];
}

function describe(name: string, endpoint: Endpoint, schemas: SchemaCollector): Operation {
  const isOpen = endpoint.role === "anyone";
  const parameters = [
    ...pathParametersOf(endpoint, schemas),
    ...(endpoint.query ? parametersOf(endpoint.query, "query", schemas) : []),
    ...headersOf(endpoint),
  ];
  return {
    operationId: name,
    summary: endpoint.summary,
    ...(isOpen ? { security: [] } : { description: `Needs the role ${endpoint.role}.` }),
    ...(parameters.length > 0 && { parameters }),
    ...(endpoint.body && {
      requestBody: {
        required: true,
        content: { "application/json": { schema: schemas.add(endpoint.body, "input") } },
      },
    }),
    responses: {
      ...Object.fromEntries(
        endpoint.answers.map((answer) => [answer.status, response(answer, schemas)]),
      ),
      ...errorResponses(endpoint, schemas),
    },
  };
}

/** Descriptions of all path parameters. The type makes sure at compile time that none is missing. */
const PATH_PARAMS: z.ZodType<ParamsOf<(typeof endpoints)[keyof typeof endpoints]["path"]>> =
  PathParams;

function pathParametersOf({ path }: Endpoint, schemas: SchemaCollector): Parameter[] {
  const all = parametersOf(PATH_PARAMS, "path", schemas);
  return all.filter(({ name }) => path.includes(`:${name}`));
}

function parametersOf(
  schema: z.ZodType,
  place: Parameter["in"],
  schemas: SchemaCollector,
): Parameter[] {
  const { properties, required = [] } = schemas.add(schema, "input") as {
    properties: Record<string, JsonSchema & { description?: string }>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...parameterSchema }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description !== undefined && { description }),
    schema: parameterSchema,
  }));
}

function headersOf({ headers = {} }: Endpoint): Parameter[] {
  return Object.entries(headers).map(([name, description]) => ({
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string" },
  }));
}

function response(answer: Answer, schemas: SchemaCollector): Response {
  const { description, schema, mediaType = schema && "application/json" } = answer;
  const headers = Object.entries(answer.headers ?? {}).map(([name, meaning]) => [
    name,
    { description: meaning, schema: { type: "string" } },
  ]);
  return {
    description,
    ...(headers.length > 0 && { headers: Object.fromEntries(headers) }),
    ...(mediaType !== undefined && {
      content: { [mediaType]: schema ? { schema: schemas.add(schema, "output") } : {} },
    }),
  };
}

/** Returns the error responses of a call: one for each HTTP status, with the error codes of that status. */
function errorResponses(endpoint: Endpoint, schemas: SchemaCollector): Record<string, Response> {
  const common: ErrorCode[] = ["invalid_request", "rate_limited", "internal_error", "unavailable"];
  const codes = [...endpoint.errors, ...common];
  if (endpoint.role !== "anyone") codes.push("unauthorized", "forbidden");
  const byStatus = Object.groupBy(new Set(codes), (code) => meaningOf(code).http ?? 500);
  const responses = Object.entries(byStatus).map(([status, group = []]) => [
    status,
    {
      description: `Error: ${group.join(", ")}`,
      content: {
        "application/json": {
          schema: { ...schemas.add(ApiError, "output"), properties: { code: { enum: group } } },
        },
      },
    },
  ]);
  return Object.fromEntries(responses);
}

/** Returns the HEAD variant of a call, whose answers have no body. */
function withoutContent(operation: Operation): Operation {
  const responses: Operation["responses"] = {};
  for (const [status, { content: _, ...rest }] of Object.entries(operation.responses)) {
    responses[status] = rest;
  }
  return { ...operation, operationId: `${operation.operationId}Head`, responses };
}
