import { zValidator } from "@hono/zod-validator";
import { type Context, Hono, type MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { matchedRoutes } from "hono/route";
import * as z from "zod";
import type { AuditAction } from "../../api/audit.ts";
import { endpoints } from "../../api/endpoints.ts";
import type { Endpoint } from "../../api/endpoints/endpoint.ts";
import { mayActAs, type Role } from "../../api/roles.ts";
import { type ErrorCode, FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { RateLimiter } from "../../util/rate-limiter.ts";
import type { Audit } from "../audit/audit.ts";
import type { AuditEntry } from "../audit/entry.ts";
import { type Caller, OutOfScope } from "../access/caller.ts";
import { type Access, callerOf, requireCsrfSafe } from "./authentication.ts";
import { readBody, tooLarge } from "./body.ts";
import { addressAsked } from "./host.ts";
import type { Answering, LongAnswers } from "./long-answers.ts";
import { problem } from "./problem.ts";
import { RateLimited } from "./rate-limited.ts";
import { networkOf } from "../access/remote-address.ts";
import { refuseInvalid } from "./validation.ts";

/** Limits of a body: its size in bytes, and the time in ms in which all of it has to come. */
const MAX_BODY_BYTES = 64 * 1024;
const BODY_WITHIN_MS = 10_000;

/** The query of a call that takes none: it refuses every field, as nobody would read it. */
const NO_QUERY = z.strictObject({});

type Parsed<E extends Endpoint, Part extends "query" | "body"> = E[Part] extends z.ZodType
  ? z.output<E[Part]>
  : undefined;

/** What a handler is given: everything checked. */
export interface Call<E extends Endpoint> extends Answering {
  query: Parsed<E, "query">;
  body: Parsed<E, "body">;
  /** A parameter of the path. */
  param: (name: string) => string;
  /** Where the request came from. */
  address: string;
  /** Who calls, with a role that may; null where anyone may. */
  caller: E["role"] extends "anyone" ? null : Caller;
  /** Tells the audit what it is about, where the endpoint is one that is audited. */
  note: (about: About) => void;
}

type About = Pick<AuditEntry, "actor" | "target" | "clientId" | "downloadId" | "filePath">;

/** What a caller is told that may not do what it asks for. */
const DENIALS: ReadonlySet<ErrorCode> = new Set(["unauthorized", "forbidden", "rate_limited"]);

interface Environment {
  Bindings: { address: string };
  Variables: { caller: Caller | null };
}

export type Handler<E extends Endpoint> = (call: Call<E>) => Response | Promise<Response>;

/** What each call of the REST interface does, by the endpoint's name. */
export type Handlers = { [Name in keyof typeof endpoints]: Handler<(typeof endpoints)[Name]> };

export interface RouterOptions {
  access: Access;
  /** How many requests each caller may make. */
  requests: RateLimiter;
  longAnswers: LongAnswers;
  audit: Pick<Audit, "record">;
  logger: Logger;
}

/** The REST interface: checks who calls and what comes in, and words every error the same way. */
export class Router {
  readonly #access: Access;
  readonly #app = new Hono<Environment>();
  readonly #methods = new Map<string, Set<string>>();
  /** Paths of the API that anybody may call. */
  readonly #open = new Set<string>();

  constructor(private readonly options: RouterOptions) {
    const { access, logger } = options;
    this.#access = access;
    this.#app.use(this.#authenticate());
    this.#app.notFound(() => problem("not_found", "There is nothing at this address"));
    this.#app.onError((error, c) => {
      this.#auditDenial(error, c);
      if (error instanceof FdsError && error.code !== "internal_error") {
        return problem(error.code, error.message, headersFor(error));
      }
      if (error instanceof HTTPException && error.status === 400) {
        return problem("invalid_request", "The body is not JSON");
      }
      // Whoever called has hung up and hears none of this; it is no fault of the server's.
      if (error.name === "AbortError") return problem("invalid_request", "The body did not come");
      logger.error("a request failed", { method: c.req.method, path: c.req.path }, error);
      return problem("internal_error", "The server failed, its log says why");
    });
  }

  /** Answers HTTP requests; `address` is where one came from. */
  get fetch(): (request: Request, address: string) => Promise<Response> {
    return async (request, address) => {
      const url = addressAsked(request);
      const named = url === request.url ? request : new Request(url, request);
      return this.#app.fetch(named, { address });
    };
  }

  add<E extends Endpoint>(endpoint: E, handler: Handler<E>): this {
    const { method, path, query, body, role } = endpoint;
    if (role === "anyone") this.#open.add(path);
    const checks: MiddlewareHandler[] = [zValidator("query", query ?? NO_QUERY, refuseInvalid)];
    if (role !== "anyone") checks.unshift(requireRole(role));
    if (body) {
      checks.push(
        jsonBody(endpoint.largeBody),
        this.#authenticateAgain(),
        zValidator("json", body, refuseInvalid),
      );
    }
    this.#app.on(method, [path], ...checks, (c) => {
      const { address } = c.env;
      const caller = c.get("caller");
      const about: About = { actor: caller?.name ?? null };
      return this.#audited(endpoint.audit, { ...about, address }, async (note) => {
        const answer = await handler({
          query: (query && c.req.valid("query" as never)) as Parsed<E, "query">,
          body: (body && c.req.valid("json" as never)) as Parsed<E, "body">,
          param: (name) => c.req.param(name) ?? "",
          address,
          caller: caller as Call<E>["caller"],
          note,
          ...this.options.longAnswers.for(c.req.raw, caller),
        });
        if (endpoint.goesOn) await this.#confirm(c, answer);
        return answer;
      });
    });
    const methods = this.#methods.get(path) ?? new Set();
    this.#methods.set(path, methods.add(method));
    return this;
  }

  /** Every other method of a known path is refused by its name. Call it after the last add(). */
  close(): this {
    for (const [path, methods] of this.#methods) {
      const allowed = [...methods].flatMap((method) =>
        method === "GET" ? ["GET", "HEAD"] : method,
      );
      this.#app.all(path, () =>
        problem("method_not_allowed", `Use ${allowed.join(" or ")} here`, {
          Allow: allowed.join(", "),
        }),
      );
    }
    return this;
  }

  /** Does what is asked, and records how it ended, where it is something that is audited. */
  async #audited(
    action: AuditAction | undefined,
    who: About & Pick<AuditEntry, "address">,
    work: (note: (about: About) => void) => Response | Promise<Response>,
  ): Promise<Response> {
    const about: About = {};
    const note = (more: About) => void Object.assign(about, more);
    if (action === undefined) return work(note);
    let outcome = "internal_error";
    try {
      const response = await work(note);
      outcome = "ok";
      return response;
    } catch (error) {
      if (error instanceof FdsError) outcome = error.code;
      throw error;
    } finally {
      this.options.audit.record({ action, outcome, ...who, ...about });
    }
  }

  /** Records that somebody was not let in, or reached for what is not theirs. */
  #auditDenial(error: Error, c: Context<Environment>): void {
    if (!(error instanceof FdsError)) return;
    const isHidden = error instanceof OutOfScope;
    if (!isHidden && !DENIALS.has(error.code)) return;
    // A sign-in is recorded where it happens.
    const path = matchedRoutes(c).at(-1)?.path ?? "";
    if (path === endpoints.signIn.path) return;
    this.options.audit.record({
      action: "denied",
      outcome: isHidden ? "forbidden" : error.code,
      actor: c.get("caller")?.name ?? null,
      address: c.env.address,
      target: `${c.req.method} ${path}`,
      clientId: isHidden ? error.clientId : null,
    });
  }

  #authenticate(): MiddlewareHandler<Environment> {
    return async (c, next) => {
      try {
        c.set("caller", await this.#callerOf(c));
      } catch (error) {
        // Who is not let in is slowed as well.
        this.#slowDown(null, c.env.address);
        throw error;
      }
      this.#slowDown(c.get("caller")?.name ?? null, c.env.address);
      await next();
    };
  }

  /** Who may call is decided when the call acts: a body may come long after the head. */
  #authenticateAgain(): MiddlewareHandler<Environment> {
    return async (c, next) => {
      c.set("caller", await this.#callerOf(c));
      await next();
    };
  }

  /** Takes an answer back whose caller lost the right to it before its end could be planned. */
  async #confirm(c: Context<Environment>, answer: Response): Promise<void> {
    try {
      await this.#callerOf(c);
    } catch (error) {
      await answer.body?.cancel();
      throw error;
    }
  }

  /** @returns null where anyone may call, or nothing is */
  async #callerOf({ req: { path, raw }, env }: Context<Environment>): Promise<Caller | null> {
    if (this.#open.has(path)) {
      requireCsrfSafe(raw, this.#access);
      return null;
    }
    const isGuarded = path.startsWith("/api/") || path === "/metrics";
    return isGuarded ? callerOf(raw, env.address, this.#access) : null;
  }

  /** @param name of the token that was shown; null: none */
  #slowDown(name: string | null, address: string): void {
    // A token may be called as an address is.
    const who = name === null ? `address ${networkOf(address)}` : `token ${name}`;
    const wait = this.options.requests.take(who);
    if (wait > 0) throw new RateLimited(wait, "too many requests came");
  }
}

function requireRole(needed: Role): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const caller = c.get("caller");
    if (!caller || !mayActAs(caller.role, needed)) {
      throw new FdsError("forbidden", `Use a token of the role "${needed}" for this`);
    }
    await next();
  };
}

/** What a client is to know beside the error itself. */
function headersFor(error: FdsError): Record<string, string> {
  if (!(error instanceof RateLimited)) return {};
  return { "Retry-After": String(Math.ceil(error.wait / 1000)) };
}

/** A body is read as JSON whatever Content-Type says: curl's -d says something else by itself. */
function jsonBody(large: Endpoint["largeBody"]): MiddlewareHandler {
  const size = large?.bytes ?? MAX_BODY_BYTES;
  return async (c, next) => {
    const { raw } = c.req;
    const body = await readBody(raw, { size, time: BODY_WITHIN_MS });
    if (body.length > MAX_BODY_BYTES && !(large && hasField(body, large.field))) {
      throw tooLarge(MAX_BODY_BYTES);
    }
    const headers = new Headers(raw.headers);
    headers.set("Content-Type", "application/json");
    c.req.raw = new Request(raw.url, { method: raw.method, headers, body, signal: raw.signal });
    await next();
  };
}

function hasField(body: Uint8Array, field: string): boolean {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === "object" && value !== null && field in value;
  } catch {
    return false;
  }
}
