import { AuditList, AuditQuery } from "../audit.ts";
import {
  EnrolmentKeyList,
  EnrolmentKeyRecord,
  IssuedEnrolmentKey,
  NewEnrolmentKey,
} from "../enrolment.ts";
import * as schemas from "../schemas.ts";
import { IssuedToken, NewToken, TokenList, TokenRecord } from "../tokens.ts";
import type { Endpoint } from "./endpoint.ts";

const cookie = { "Set-Cookie": "The session, for browsers" };

/** REST calls about tokens, sessions, enrolment and the audit. */
export const accessEndpoints = {
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
