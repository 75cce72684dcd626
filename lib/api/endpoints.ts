import { accessEndpoints } from "./endpoints/access.ts";
import { clientEndpoints } from "./endpoints/clients.ts";
import { downloadEndpoints } from "./endpoints/downloads.ts";
import { eventEndpoints } from "./endpoints/events.ts";
import { serverEndpoints } from "./endpoints/server.ts";

/** Every call, by name: what server.ts routes and the OpenAPI document describes. */
export const endpoints = {
  ...serverEndpoints,
  ...accessEndpoints,
  ...clientEndpoints,
  ...downloadEndpoints,
  ...eventEndpoints,
} as const;
