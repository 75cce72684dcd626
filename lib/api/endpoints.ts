import { accessEndpoints } from "./endpoints/access.ts";
import { clientEndpoints } from "./endpoints/clients.ts";
import { downloadEndpoints } from "./endpoints/downloads.ts";
import { eventEndpoints } from "./endpoints/events.ts";
import { jobEndpoints } from "./endpoints/jobs.ts";
import { scheduleEndpoints } from "./endpoints/schedules.ts";
import { serverEndpoints } from "./endpoints/server.ts";
import { webhookEndpoints } from "./endpoints/webhooks.ts";

/**
 * Every call by name, stated once. server.ts adds a route for each, the OpenAPI document describes them,
 * and the types of handlers and callers follow from them.
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

/** The paths of the calls by a method. */
export type PathOf<Method> = Extract<AnyEndpoint, { method: Method }>["path"];

/** The endpoint of a method and a path. */
export type EndpointAt<Method, Path> = Extract<AnyEndpoint, { method: Method; path: Path }>;
