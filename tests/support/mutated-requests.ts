import type { OpenApiDocument, Operation, Parameter } from "../../lib/api/openapi-types.ts";
import { Mutator } from "./mutator.ts";
import type { Random } from "./random.ts";
import { type JsonSchema, SchemaValues } from "./schema-values.ts";

/** An HTTP request, as it is sent. */
export interface MutatedRequest {
  method: string;
  /** The path and the query string. */
  target: string;
  headers: Record<string, string>;
  body: string;
}

/** Methods to try in addition to those that the OpenAPI document has for a path. */
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "X"];

/** Headers that affect HTTP servers, with values that often trigger bugs. */
const HEADERS: Record<string, string[]> = {
  Range: [
    "bytes=0-0",
    "bytes=-1",
    "bytes=-0",
    "bytes=5-2",
    "bytes=0-0,5-6",
    "bytes=99999999999999999999-",
    "bytes=1e3-",
    "lines=1-2",
    "bytes=",
  ],
  "If-Range": ['"x"', "*", "W/", "Thu, 01 Jan 1970 00:00:00 GMT"],
  "If-None-Match": ["*", '"', 'W/"x", "y"', ",".repeat(500)],
  "Content-Type": ["text/plain", "multipart/form-data", "application/json; charset=utf-16", ";"],
  "Content-Encoding": ["gzip", "zstd", "x"],
  "Content-Length": ["0", "-1", "5", "99999999999", "1e3"],
  "Transfer-Encoding": ["chunked", "gzip, chunked", "x"],
  Authorization: ["", "Bearer", "Bearer x", "Basic Og==", "bearer"],
  Cookie: ["session=x", "=", ";;;", `a=${"b".repeat(3000)}`],
  Origin: ["null", "https://example.com", "http://", "file://"],
  Host: ["", "[::", "example.com", "a b", "x".repeat(300)],
  Expect: ["100-continue", "x"],
  Upgrade: ["websocket", "h2c"],
  Connection: ["upgrade", "keep-alive", "x"],
  "Last-Event-ID": ["", "0", "-1", "x".repeat(5000), "99999999999999999999:1"],
  "X-Forwarded-For": ["127.0.0.1", "x, y"],
  "X-HTTP-Method-Override": ["DELETE"],
  "Accept-Encoding": ["gzip", "*;q=0"],
};

/** Generates requests that differ slightly from those that an OpenAPI document describes. */
export class MutatedRequests {
  readonly #mutator: Mutator;
  readonly #values: SchemaValues;
  readonly #calls: { path: string; method: string; operation: Operation }[];

  /**
   * @param hints values that exist on the server, by the name of a field or parameter
   * @param headers sent with every request, unless a mutation replaces them
   */
  constructor(
    document: OpenApiDocument,
    private readonly random: Random,
    private readonly hints: Record<string, string[]>,
    private readonly headers: Record<string, string>,
  ) {
    this.#mutator = new Mutator(random);
    this.#values = new SchemaValues(random, document.components.schemas);
    this.#calls = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({ path, method, operation })),
    );
  }

  next(): MutatedRequest {
    const { random } = this;
    const { path, method, operation } = random.pick(this.#calls);
    const { parameters = [], requestBody } = operation;
    const schema = requestBody?.content["application/json"]?.schema as JsonSchema | undefined;
    const right = {
      method: method.toUpperCase(),
      path,
      parameters: parameters.filter(({ required }) => required || random.float() < 0.5),
      body: schema ? this.#hinted(this.#values.of(schema)) : undefined,
    };
    const changed = random.pick(["method", "target", "parameters", "headers", "body", "nothing"]);
    const also = random.pick(["target", "headers", "body", "nothing", "nothing"]);
    const changes = (what: string) => what === changed || what === also;
    const target = this.#target(right.path, right.parameters, changes("parameters"));
    return {
      method: changes("method") ? random.pick(METHODS) : right.method,
      target: changes("target") ? this.#mutator.text(target) : target,
      headers: this.#headers(right.parameters, changes("headers")),
      body: this.#body(right.body, changes("body")),
    };
  }

  #target(path: string, parameters: Parameter[], change: boolean): string {
    const { random } = this;
    const query: string[] = [];
    let filled = path;
    for (const parameter of parameters) {
      const value = this.#valueOf(parameter, change);
      const text = random.float() < 0.9 ? encodeURIComponent(value) : value;
      if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, text);
      if (parameter.in === "query") query.push(`${parameter.name}=${text}`);
    }
    if (change)
      query.push(...query.slice(0, random.int(0, 1)), ...random.pick([[], ["future=1"], ["&=%"]]));
    return query.length === 0 ? filled : `${filled}?${query.join("&")}`;
  }

  #valueOf({ name, schema }: Parameter, change: boolean): string {
    const { random } = this;
    const hints = this.hints[name];
    const right = hints && random.float() < 0.8 ? random.pick(hints) : this.#values.of(schema);
    const value = change && random.float() < 0.7 ? this.#mutator.value(right) : right;
    // Lone surrogates cannot be encoded as UTF-8, so they are replaced.
    return (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).toWellFormed();
  }

  #headers(parameters: Parameter[], change: boolean): Record<string, string> {
    const { random } = this;
    const headers = { ...this.headers };
    for (const parameter of parameters) {
      if (parameter.in === "header") headers[parameter.name] = this.#valueOf(parameter, change);
    }
    for (let times = change ? random.int(1, 3) : 0; times > 0; times--) {
      const name = random.pick(Object.keys(HEADERS));
      headers[name] = random.pick(HEADERS[name]!);
      if (random.float() < 0.3) headers[name] = this.#mutator.text(headers[name]);
    }
    return headers;
  }

  #body(right: unknown, change: boolean): string {
    const { random } = this;
    if (change) return this.#mutator.json(right ?? random.pick([{}, [], 1, "x"]));
    return right === undefined ? "" : JSON.stringify(right);
  }

  /** Replaces most fields that have hints by a value that exists on the server. */
  #hinted(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    const fields = Object.entries(value).map(([name, old]) => {
      const hints = this.hints[name];
      return [name, hints && this.random.float() < 0.8 ? this.random.pick(hints) : old];
    });
    return Object.fromEntries(fields);
  }
}
