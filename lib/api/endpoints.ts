import type * as z from "zod";
import { type AuditAction, AuditList, AuditQuery } from "./audit.ts";
import { ClientFileList, ClientFileQuery } from "./files.ts";
import { ContentQuery, SetFileList, SetFileQuery } from "./sets.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Role } from "./roles.ts";
import * as schemas from "./schemas.ts";
import {
  EnrolmentKeyList,
  EnrolmentKeyRecord,
  IssuedEnrolmentKey,
  NewEnrolmentKey,
} from "./enrolment.ts";
import { IssuedToken, NewToken, TokenList, TokenRecord } from "./tokens.ts";

/** An answer of an endpoint: JSON of a schema, or a body of another media type. */
export interface Answer {
  status: number;
  description: string;
  schema?: z.ZodType;
  mediaType?: string;
  /** Headers worth knowing: name → what it says. */
  headers?: Record<string, string>;
}

/** One call of the REST interface: what it takes, what it answers. */
export interface Endpoint {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With `:name` for a parameter. */
  path: string;
  summary: string;
  /** Who may call it: this role and those above it, or anyone, without a token. */
  role: Role | "anyone";
  /** What the audit calls it; where there is nothing, it records denials alone. */
  audit?: AuditAction;
  /** True where the answer takes long, or goes on for long: it ends with the right of its caller. */
  goesOn?: boolean;
  /** True where HEAD is answered too. */
  head?: boolean;
  query?: z.ZodType;
  /** Headers that a request may have: name → what it says. */
  headers?: Record<string, string>;
  body?: z.ZodType;
  /** Most bytes of the body, where it may be longer than that of other calls. */
  maxBodyBytes?: number;
  answers: Answer[];
  /** The codes of the errors it can answer, besides those that any call can. */
  errors: ErrorCode[];
}

const accepted = {
  status: 202,
  description: "It is queued",
  schema: schemas.DownloadAccepted,
  headers: { Location: "The new download, relative to the address of the call" },
};
const fileHeaders = {
  ETag: 'The MD5 of the file, in quotes; of a SHA-256, "sha256:…"',
  "Accept-Ranges": "bytes",
  "Content-Disposition": "attachment, with the name of the file",
};
const file = { mediaType: "application/octet-stream", headers: fileHeaders };
const cookie = { "Set-Cookie": "The session, for browsers" };
const downloadRecord = { schema: schemas.DownloadRecord, description: "The download" };
const lastEventId = {
  "Last-Event-ID":
    "The id of the last event that was read: the latest 10,000 ends of downloads since then are told of. The answer begins with an id of its own, from which on no end is missed",
};

/** Every call, by name: what server.ts routes and the OpenAPI document describes. */
export const endpoints = {
  health: {
    method: "GET",
    path: "/health",
    summary: "Whether the server works",
    role: "anyone",
    answers: [{ status: 200, description: "It works", schema: schemas.Health }],
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
  getSession: {
    method: "GET",
    path: "/api/session",
    summary: "Whether the caller's cookie is that of a session",
    role: "anyone",
    answers: [{ status: 200, description: "The session", schema: schemas.Session }],
    errors: [],
  },
  signIn: {
    method: "POST",
    path: "/api/session",
    summary: "Sign in: the answer sets a cookie, which does what the token does",
    role: "anyone",
    audit: "sign_in",
    body: schemas.NewSession,
    answers: [
      { status: 200, description: "The session", schema: schemas.Session, headers: cookie },
    ],
    errors: ["unauthorized", "forbidden", "request_too_large"],
  },
  signOut: {
    method: "DELETE",
    path: "/api/session",
    summary: "Sign out: the answer takes the cookie away",
    role: "anyone",
    audit: "sign_out",
    answers: [{ status: 200, description: "No session", schema: schemas.Session, headers: cookie }],
    errors: ["forbidden"],
  },
  createSignInCode: {
    method: "POST",
    path: "/api/session/code",
    summary: "A code for a sign-in link, /#code=…, good once and for 15 minutes",
    role: "viewer",
    answers: [{ status: 200, description: "The code", schema: schemas.SignInCode }],
    errors: ["not_found"],
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
  listClients: {
    method: "GET",
    path: "/api/clients",
    summary: "Every client that ever registered",
    role: "viewer",
    answers: [{ status: 200, description: "The clients, by id", schema: schemas.ClientList }],
    errors: [],
  },
  listClientFiles: {
    method: "GET",
    path: "/api/clients/:client_id/files",
    summary: "The files and folders in a folder of a client, or its roots",
    role: "operator",
    audit: "browse",
    goesOn: true,
    query: ClientFileQuery,
    answers: [{ status: 200, description: "A page of them, by name", schema: ClientFileList }],
    errors: [
      "client_not_found",
      "client_not_connected",
      "client_outdated",
      "file_not_found",
      "access_denied",
      "not_a_folder",
      "client_timeout",
    ],
  },
  startDownload: {
    method: "POST",
    path: "/api/download",
    summary: "Pull a file from a client",
    role: "operator",
    audit: "download_start",
    body: schemas.NewDownload,
    // Patterns may have 200,000 characters, each of six bytes in JSON.
    maxBodyBytes: 2 * 1024 * 1024,
    answers: [accepted],
    errors: [
      "client_not_found",
      "client_not_connected",
      "client_outdated",
      "request_too_large",
      "storage_full",
    ],
  },
  listDownloads: {
    method: "GET",
    path: "/api/downloads",
    summary: "Downloads, newest first",
    role: "viewer",
    query: schemas.DownloadQuery,
    answers: [{ status: 200, description: "A page of them", schema: schemas.DownloadList }],
    errors: [],
  },
  getDownload: {
    method: "GET",
    path: "/api/downloads/:download_id",
    summary: "One download",
    role: "viewer",
    answers: [{ status: 200, ...downloadRecord }],
    errors: ["download_not_found"],
  },
  listSetFiles: {
    method: "GET",
    path: "/api/downloads/:download_id/files",
    summary: "The files of a set, and what became of each, in the order of the manifest",
    role: "viewer",
    query: SetFileQuery,
    answers: [{ status: 200, description: "A page of them", schema: SetFileList }],
    errors: ["download_not_found"],
  },
  downloadContent: {
    method: "GET",
    path: "/api/downloads/:download_id/content",
    summary: "The file of a completed download, or a range of it; a set as a tar archive",
    role: "viewer",
    audit: "content_fetch",
    goesOn: true,
    head: true,
    query: ContentQuery,
    answers: [
      { status: 200, description: "The file", ...file },
      { status: 206, description: "The range", ...file },
      { status: 304, description: "It is what If-None-Match names" },
      { status: 416, description: "The range lies outside the file" },
    ],
    errors: ["download_not_found", "download_not_finished", "not_found"],
  },
  downloadEvents: {
    method: "GET",
    path: "/api/downloads/:download_id/events",
    summary: "One download, live: server-sent events until it has ended",
    role: "viewer",
    goesOn: true,
    headers: lastEventId,
    answers: [
      {
        status: 200,
        description:
          'Events "download", whose data is the download: as it is, at each change, and at most 10 times a second while bytes flow',
        mediaType: "text/event-stream",
      },
      { status: 204, description: "It has ended, and Last-Event-ID says that this is known" },
    ],
    errors: ["download_not_found"],
  },
  events: {
    method: "GET",
    path: "/api/events",
    summary: "All downloads and clients, live: server-sent events",
    role: "viewer",
    goesOn: true,
    headers: lastEventId,
    answers: [
      {
        status: 200,
        description:
          'Events "download" and "client", whose data is the download or client: first every client, every download that has not ended and those that ended since Last-Event-ID, then each change',
        mediaType: "text/event-stream",
      },
    ],
    errors: [],
  },
  changeDownload: {
    method: "PATCH",
    path: "/api/downloads/:download_id",
    summary: "Change the most bytes a second of a download that has not ended",
    role: "operator",
    audit: "download_change",
    body: schemas.DownloadChange,
    answers: [{ status: 200, ...downloadRecord }],
    errors: ["download_not_found", "download_already_ended", "request_too_large"],
  },
  cancelDownload: {
    method: "POST",
    path: "/api/downloads/:download_id/cancel",
    summary: "End a download that has not ended",
    role: "operator",
    audit: "download_cancel",
    answers: [{ status: 200, ...downloadRecord }],
    errors: ["download_not_found", "download_already_ended"],
  },
  retryDownload: {
    method: "POST",
    path: "/api/downloads/:download_id/retry",
    summary:
      "Pull the file of a failed or cancelled download again, as a new download, which the old one names",
    role: "operator",
    audit: "download_retry",
    answers: [accepted],
    errors: [
      "download_not_found",
      "download_not_finished",
      "download_already_ended",
      "storage_full",
    ],
  },
  revokeClient: {
    method: "POST",
    path: "/api/clients/:client_id/revoke",
    summary: "Refuse a client's key from now on, and cut its connection; its downloads wait",
    role: "admin",
    audit: "client_revoke",
    answers: [{ status: 200, description: "The client", schema: schemas.ClientRecord }],
    errors: ["client_not_found"],
  },
  listEnrolmentKeys: {
    method: "GET",
    path: "/api/enrolment-keys",
    summary: "The enrolment keys, also those that are good no more, without their secrets",
    role: "admin",
    answers: [{ status: 200, description: "The keys, by name", schema: EnrolmentKeyList }],
    errors: [],
  },
  createEnrolmentKey: {
    method: "POST",
    path: "/api/enrolment-keys",
    summary: "Make a key with which machines enrol, for some ids, so often, so long",
    role: "admin",
    audit: "enrolment_key_create",
    body: NewEnrolmentKey,
    answers: [{ status: 201, description: "The key with its secret", schema: IssuedEnrolmentKey }],
    errors: ["request_too_large"],
  },
  revokeEnrolmentKey: {
    method: "DELETE",
    path: "/api/enrolment-keys/:name",
    summary: "End an enrolment key; clients that enrolled with it stay",
    role: "admin",
    audit: "enrolment_key_revoke",
    answers: [{ status: 200, description: "The key", schema: EnrolmentKeyRecord }],
    errors: ["not_found"],
  },
  listTokens: {
    method: "GET",
    path: "/api/tokens",
    summary: "The API tokens, also those that are good no more, without their secrets",
    role: "admin",
    answers: [{ status: 200, description: "The tokens, by name", schema: TokenList }],
    errors: [],
  },
  createToken: {
    method: "POST",
    path: "/api/tokens",
    summary: "Make an API token with a role, perhaps for some sites only",
    role: "admin",
    audit: "token_create",
    body: NewToken,
    answers: [{ status: 201, description: "The token with its secret", schema: IssuedToken }],
    errors: ["request_too_large"],
  },
  revokeToken: {
    method: "DELETE",
    path: "/api/tokens/:name",
    summary: "End an API token at once, with its sessions and its live events",
    role: "admin",
    audit: "token_revoke",
    answers: [{ status: 200, description: "The token", schema: TokenRecord }],
    errors: ["not_found"],
  },
  audit: {
    method: "GET",
    path: "/api/audit",
    summary: "Who did what, from where, and how it ended, newest first",
    role: "admin",
    query: AuditQuery,
    answers: [{ status: 200, description: "A page of it", schema: AuditList }],
    errors: [],
  },
} as const satisfies Record<string, Endpoint>;
