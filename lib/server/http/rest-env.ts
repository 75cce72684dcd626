import type { Context } from "hono";
import type * as z from "zod";
import type { Endpoint } from "../../api/endpoints/endpoint.ts";
import type { Caller } from "../access/caller.ts";
import type { AuditEntry } from "../audit/entry.ts";
import type { Answering } from "./long-answers.ts";

/** Who made a call, and what it was about, as the audit records it. */
export type About = Pick<AuditEntry, "actor" | "target" | "clientId" | "downloadId" | "filePath">;

/** The variables of a request in Hono's context. */
export interface RestEnv {
  Bindings: {
    /** IP address of the caller, as far as it is known. */
    address: string;
  };
  Variables: {
    /** The caller; null: the endpoint needs no authentication. */
    caller: Caller | null;
    /** Helpers for responses that are long, or take long to compute. */
    answering: Answering;
    /**
     * Stores who made the call and what it is about. The audit records this only if the endpoint is audited.
     */
    note: (about: About) => void;
  };
}

/** The variables of a request to one endpoint, after the caller's role was checked. */
interface CallEnv<E extends Endpoint> {
  Bindings: RestEnv["Bindings"];
  Variables: Omit<RestEnv["Variables"], "caller"> & {
    caller: E["role"] extends "anyone" ? null : Caller;
  };
}

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : never;

/** The validated query and body of a request, as `c.req.valid` returns them. */
interface Checked<E extends Endpoint> {
  out: { query: Parsed<E["query"]>; json: Parsed<E["body"]> };
}

/** Hono's context of a call, with types that follow from the endpoint. */
export type CallContext<E extends Endpoint> = Context<CallEnv<E>, E["path"], Checked<E>>;
