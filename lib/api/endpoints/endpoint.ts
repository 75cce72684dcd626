import type * as z from "zod";
import type { ErrorCode } from "../../protocol/errors.ts";
import type { AuditAction } from "../audit.ts";
import type { Role } from "../roles.ts";

/** An answer of an endpoint: JSON of a schema, or a body of another media type. */
export interface Answer {
  status: number;
  description: string;
  schema?: z.ZodType;
  mediaType?: string;
  /** Headers worth knowing: name → meaning. */
  headers?: Record<string, string>;
}

/** One call of the REST interface: what it takes, what it answers. */
export interface Endpoint {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Parameters are written as `:name`. */
  path: string;
  summary: string;
  /** Who may call it: this role and those above it, or anyone, without a token. */
  role: Role | "anyone";
  /** Name of the call in the audit; without one, only denials are recorded. */
  audit?: AuditAction;
  /**
   * True for an answer that takes long or never ends: it is cut off when its caller loses the right to it.
   */
  goesOn?: boolean;
  /** True where HEAD is answered too. */
  head?: boolean;
  query?: z.ZodType;
  /** Headers that a request may have: name → meaning. */
  headers?: Record<string, string>;
  body?: z.ZodType;
  /** True where a request without a body means a body without fields. */
  bodyIsOptional?: boolean;
  /** A body that may be larger than those of other calls, in bytes, if it has this field. */
  largeBody?: { field: string; bytes: number };
  answers: Answer[];
  /** Codes of errors that it can answer, besides those that every call can. */
  errors: ErrorCode[];
}

type JsonOf<OneAnswer> = OneAnswer extends { schema: infer Schema extends z.ZodType }
  ? z.output<Schema>
  : never;

/** The JSON of a successful answer; `never` where the answer is not JSON. */
export type AnswerOf<E extends Endpoint> = JsonOf<E["answers"][number]>;
