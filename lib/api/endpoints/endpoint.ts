import type * as z from "zod";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { AuditAction } from "../audit.ts";
import type { Role } from "../roles.ts";

/** A possible answer of a REST call: JSON that matches a schema, a body of another media type, or no body. */
export interface Answer {
  status: number;
  description: string;
  schema?: z.ZodType;
  mediaType?: string;
  /** Response headers that callers should know, by name, each with its meaning. */
  headers?: Record<string, string>;
}

/** One call of the REST interface, with its request and its answers. */
export interface Endpoint {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** The path of the call, with parameters written as `:name`. */
  path: string;
  summary: string;
  /** The lowest role that may make this call, or `anyone` if no token is needed. */
  role: Role | "anyone";
  /** Name of the call in the audit. If undefined, only denied calls are recorded. */
  audit?: AuditAction;
  /**
   * True if it can take long to make or to send the answer, as for a stream of events. Before such an answer
   * is sent, the server checks the caller's access again.
   */
  hasLongAnswer?: boolean;
  /** True if HEAD requests are answered, too. */
  head?: boolean;
  query?: z.ZodType;
  /** Optional request headers, by name, each with its meaning. */
  headers?: Record<string, string>;
  body?: z.ZodType;
  /** True if a request without a body is treated like one with an empty object. */
  bodyIsOptional?: boolean;
  /** A size limit in bytes, larger than the usual one, for request bodies that contain the named field. */
  largeBody?: { field: string; bytes: number };
  answers: Answer[];
  /** Error codes that this call can answer with, besides those that every call can answer with. */
  errors: ErrorCode[];
}

type JsonOf<OneAnswer> = OneAnswer extends { schema: infer Schema extends z.ZodType }
  ? z.output<Schema>
  : never;

/** The type of the JSON in a successful answer; `never` if the answer is not JSON. */
export type AnswerOf<E extends Endpoint> = JsonOf<E["answers"][number]>;
