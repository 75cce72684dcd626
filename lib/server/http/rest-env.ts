import type { Context } from "hono";
import type * as z from "zod";
import type { Endpoint } from "../../api/endpoints/endpoint.ts";
import type { Caller } from "../access/caller.ts";
import type { AuditEntry } from "../audit/entry.ts";
import type { Answering } from "./long-answers.ts";

/** The subject of a call, for the audit. */
export type About = Pick<AuditEntry, "actor" | "target" | "clientId" | "downloadId" | "filePath">;

/** The variables of a request in Hono's context. */
export interface RestEnv {
  Bindings: {
    /** Where the request came from. */
    address: string;
  };
  Variables: {
    /** Who calls; null where anyone may. */
    caller: Caller | null;
    /** For an answer that is long, or long in the making. */
    answering: Answering;
    /** Tells the audit what a call is about, where its endpoint is one that is audited. */
    note: (about: About) => void;
  };
}

/** The same for a call of one endpoint, whose caller has a role that may. */
interface CallEnv<E extends Endpoint> {
  Bindings: RestEnv["Bindings"];
  Variables: Omit<RestEnv["Variables"], "caller"> & {
    caller: E["role"] extends "anyone" ? null : Caller;
  };
}

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : never;

/** The checked parts of a request, as `c.req.valid` gives them. */
interface Checked<E extends Endpoint> {
  out: { query: Parsed<E["query"]>; json: Parsed<E["body"]> };
}

/** Hono's context of a call: its types follow from the endpoint. */
export type CallContext<E extends Endpoint> = Context<CallEnv<E>, E["path"], Checked<E>>;
