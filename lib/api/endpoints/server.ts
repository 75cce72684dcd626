import * as schemas from "../schemas.ts";
import type { Endpoint } from "./endpoint.ts";

/** REST calls about the server itself. */
export const serverEndpoints = {
  health: {
    method: "GET",
    path: "/health",
    summary: "Whether the server works, and its database and storage are there",
    role: "anyone",
    answers: [{ status: 200, description: "It works", schema: schemas.Health }],
    errors: [],
  },
  live: {
    method: "GET",
    path: "/live",
    summary: "Whether the process works, whatever is away",
    role: "anyone",
    answers: [{ status: 200, description: "It works", schema: schemas.Live }],
    errors: [],
  },
  metrics: {
    method: "GET",
    path: "/metrics",
    summary: "What is measured, for Prometheus",
    role: "viewer",
    answers: [{ status: 200, description: "The text format 0.0.4", mediaType: "text/plain" }],
    errors: [],
  },
  openapi: {
    method: "GET",
    path: "/openapi.json",
    summary: "This document",
    role: "anyone",
    answers: [{ status: 200, description: "OpenAPI 3.1", mediaType: "application/json" }],
    errors: [],
  },
  totals: {
    method: "GET",
    path: "/api/totals",
    summary: "Downloads since a time, counted",
    role: "viewer",
    query: schemas.TotalsQuery,
    answers: [{ status: 200, description: "The counts", schema: schemas.Totals }],
    errors: [],
  },
} as const satisfies Record<string, Endpoint>;
