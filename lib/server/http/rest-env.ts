import type { Context } from "hono";
import type * as z from "zod";
import type { Endpoint } from "../../api/endpoints/endpoint.ts";
import type { Caller } from "../access/caller.ts";
import type { AuditEntry } from "../audit/entry.ts";
import type { Answering } from "./long-answers.ts";

/** Subject of a call, for the audit. */
export type About = Pick<AuditEntry, "actor" | "target" | "clientId" | "downloadId" | "filePath">;

/** The variables of a request in Hono's context. */
export interface RestEnv {
  Bindings: {
    /** Where the request came from. */
    address: string;
  };
  Variables: {
    /** The caller; null where anybody may call. */
    caller: Caller | null;
    /** For answers that are long, or take long to make. */
    answering: Answering;
    /** Records the subject of a call for the audit, if its endpoint is audited. */
    note: (about: About) => void;
  };
}

/** The same for a call of one endpoint, whose caller has the necessary role. */
interface CallEnv<E extends Endpoint> {
  Bindings: RestEnv["Bindings"];
  Variables: Omit<RestEnv["Variables"], "caller"> & {
    caller: E["role"] extends "anyone" ? null : Caller;
  };
}

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : never;

/** The validated parts of a request, as `c.req.valid` returns them. */
interface Checked<E extends Endpoint> {
  out: { query: Parsed<E["query"]>; json: Parsed<E["body"]> };
}

/** Hono's context of a call; its types follow from the endpoint. */
export type CallContext<E extends Endpoint> = Context<CallEnv<E>, E["path"], Checked<E>>;
