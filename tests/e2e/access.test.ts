import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { endpoints } from "../../lib/api/endpoints.ts";
import type { Endpoint } from "../../lib/api/endpoints/endpoint.ts";
import { mayActAs, type Role, ROLES } from "../../lib/api/roles.ts";
import {
  bearer,
  call,
  cookie,
  type Name,
  type Sample,
  SAMPLES,
  useAccess,
} from "../support/access.ts";
import { API_TOKEN } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useAccess();

/*
 * Access control: calls every endpoint with every kind of credential, and expects the answer that the table
 * in lib/api/endpoints.ts states. An endpoint without a sample in tests/support/access.ts fails to compile.
 */

/** The headers that a caller sends to identify itself, and the access that the server must grant for them. */
interface Credential {
  headers: () => Record<string, string>;
  /** The role that these headers give; null if the server must treat the caller as unknown. */
  role: Role | null;
  /** The only site that the caller may see. Without it, the caller may see all sites. */
  site?: "site-1" | "site-2";
}

const CREDENTIALS: Record<string, Credential> = {
  nothing: { headers: () => ({}), role: null },
  "a wrong token": { headers: () => ({ Authorization: "Bearer wrong" }), role: null },
  "an expired token": { headers: () => bearer("expired"), role: null },
  "a revoked token": { headers: () => bearer("revoked"), role: null },
  "the API_TOKEN": { headers: () => ({ Authorization: `Bearer ${API_TOKEN}` }), role: "admin" },
  "a session that was signed out": { headers: () => cookie("left"), role: null },
  "a session of a revoked token": { headers: () => cookie("revoked"), role: null },
  "an admin's session": { headers: () => cookie("admin"), role: "admin" },
  "a viewer's session": { headers: () => cookie("viewer"), role: "viewer" },
  ...Object.fromEntries(
    ROLES.map((role) => [`a token of the role ${role}`, { headers: () => bearer(role), role }]),
  ),
  ...Object.fromEntries(
    (["viewer", "operator"] as const).flatMap((role) => [
      [
        `a token of the role ${role} for this site`,
        { headers: () => bearer(`${role}-1`), role, site: "site-1" as const },
      ],
      [
        `a token of the role ${role} for another site`,
        { headers: () => bearer(`${role}-2`), role, site: "site-2" as const },
      ],
    ]),
  ),
};

function expectedOf({ role }: Endpoint, sample: Sample, credential: Credential): number {
  if (role === "anyone") return sample.allowed;
  if (credential.role === null) return 401;
  if (!mayActAs(credential.role, role)) return 403;
  if (credential.site === undefined) return sample.allowed;
  const { allowed, limited = allowed, elsewhere = limited } = sample;
  return credential.site === "site-1" ? limited : elsewhere;
}

test("every endpoint has a sample", () => {
  expect(Object.keys(SAMPLES).toSorted()).toEqual(Object.keys(endpoints).toSorted());
});

describe.each(Object.entries(CREDENTIALS))("with %s", (_, credential) => {
  test.each(Object.keys(endpoints) as Name[])("%s", async (name) => {
    const endpoint: Endpoint = endpoints[name];
    const sample = SAMPLES[name];
    const methods = endpoint.head ? (["GET", "HEAD"] as const) : [endpoint.method];
    // signOut is called without credentials, because it would end the session that later calls still need.
    const headers = name === "signOut" ? {} : credential.headers();
    for (const method of methods) {
      const asked = { ...endpoint, method } as Endpoint;
      const response = await call(asked, sample, headers);
      await response.body?.cancel();
      expect(response.status).toBe(expectedOf(endpoint, sample, credential));
    }
  });
});
