import type * as z from "zod";
import type { Endpoint } from "./endpoint.ts";

/** The names of the parameters in a path. */
type ParamName<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParamName<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/** The values of a path's parameters, as text. */
export type ParamsOf<Path extends string> = Record<ParamName<Path>, string>;

type ParamsPart<Path extends string> = [ParamName<Path>] extends [never]
  ? { params?: undefined }
  : { params: ParamsOf<Path> };

type QueryPart<Query> = Query extends z.ZodType
  ? {} extends z.input<Query>
    ? { query?: z.input<Query> }
    : { query: z.input<Query> }
  : { query?: undefined };

type BodyPart<Body> = Body extends z.ZodType ? { body: z.input<Body> } : { body?: undefined };

/** What a caller passes to a REST call: the parameters of its path, its query and its body. */
export type RequestOf<E extends Endpoint> = ParamsPart<E["path"]> &
  QueryPart<E["query"]> &
  BodyPart<E["body"]>;

/** The request of any REST call. Unlike {@link RequestOf}, this type is the same for all calls. */
export interface AnyRequest {
  params?: Record<string, string>;
  query?: Record<string, string | undefined>;
  body?: unknown;
}

/**
 * Returns the address of a REST call, relative to the server's address.
 * @param path of the endpoint, with `:name` parameters
 */
export function addressOf(path: string, { params = {}, query = {} }: AnyRequest): string {
  const filled = path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(params[name] ?? ""));
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return given.length === 0 ? filled : `${filled}?${new URLSearchParams(given)}`;
}
