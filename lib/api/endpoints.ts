import { accessEndpoints } from "./endpoints/access.ts";
import { clientEndpoints } from "./endpoints/clients.ts";
import { downloadEndpoints } from "./endpoints/downloads.ts";
import { eventEndpoints } from "./endpoints/events.ts";
import { jobEndpoints } from "./endpoints/jobs.ts";
import { scheduleEndpoints } from "./endpoints/schedules.ts";
import { serverEndpoints } from "./endpoints/server.ts";
import { webhookEndpoints } from "./endpoints/webhooks.ts";

/**
 * All REST calls by name. The OpenAPI document is generated from this table. The types require the server's
 * routes and handlers, and the callers, to agree with it.
 */
export const endpoints = {
  ...serverEndpoints,
  ...accessEndpoints,
  ...clientEndpoints,
  ...downloadEndpoints,
  ...eventEndpoints,
  ...jobEndpoints,
  ...scheduleEndpoints,
  ...webhookEndpoints,
} as const;

type AnyEndpoint = (typeof endpoints)[keyof typeof endpoints];

/** The paths of all calls with this HTTP method. */
export type PathOf<Method> = Extract<AnyEndpoint, { method: Method }>["path"];

/** The endpoint with this HTTP method and path. */
export type EndpointAt<Method, Path> = Extract<AnyEndpoint, { method: Method; path: Path }>;
