/* Types of those parts of an OpenAPI 3.1 document that this API uses. */

export type JsonSchema = Record<string, unknown>;
export type Content = Record<string, { schema?: JsonSchema }>;

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  description?: string;
  schema: JsonSchema;
}

export interface Response {
  description: string;
  headers?: Record<string, { description: string; schema: JsonSchema }>;
  content?: Content;
}

export interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  security?: [];
  parameters?: Parameter[];
  requestBody?: { required: true; content: Content };
  /** The responses by HTTP status. */
  responses: Record<string, Response>;
}

export interface OpenApiDocument {
  openapi: "3.1.0";
  info: {
    title: string;
    description: string;
    version: string;
    license: { name: string; identifier: string };
  };
  servers: { url: string }[];
  security: Record<string, string[]>[];
  /** The operations by path, then by HTTP method in lower case. */
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, JsonSchema>;
    securitySchemes: Record<string, JsonSchema>;
  };
}
