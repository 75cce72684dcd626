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
  /** Headers worth knowing: name → what it says. */
  headers?: Record<string, string>;
}

/** One call of the REST interface: what it takes, what it answers. */
export interface Endpoint {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With `:name` for a parameter. */
  path: string;
  summary: string;
  /** Who may call it: this role and those above it, or anyone, without a token. */
  role: Role | "anyone";
  /** What the audit calls it; where there is nothing, it records denials alone. */
  audit?: AuditAction;
  /** True where the answer takes long, or goes on for long: it ends with the right of its caller. */
  goesOn?: boolean;
  /** True where HEAD is answered too. */
  head?: boolean;
  query?: z.ZodType;
  /** Headers that a request may have: name → what it says. */
  headers?: Record<string, string>;
  body?: z.ZodType;
  /** True where no body is as good as one without a field. */
  bodyIsOptional?: boolean;
  /** A body with this field may have so many bytes, more than those of other calls. */
  largeBody?: { field: string; bytes: number };
  answers: Answer[];
  /** The codes of the errors it can answer, besides those that any call can. */
  errors: ErrorCode[];
}

type JsonOf<OneAnswer> = OneAnswer extends { schema: infer Schema extends z.ZodType }
  ? z.output<Schema>
  : never;

/** The JSON that an endpoint answers where it does what is asked; never: it answers something else. */
export type AnswerOf<E extends Endpoint> = JsonOf<E["answers"][number]>;
