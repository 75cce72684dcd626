import { describe, expect, test } from "bun:test";
import { FdsError } from "../../../lib/protocol/errors.ts";
import type { Register } from "../../../lib/protocol/messages.ts";
import { admit } from "../../../lib/server/clients/admission.ts";
import type { EnrolmentKey } from "../../../lib/server/access/rows.ts";
import { hashSecret, sameSecret } from "../../../lib/server/access/secrets.ts";
import type { Client } from "../../../lib/server/database/repository.ts";
import { NOW } from "../../support/downloads.ts";
import { codeOf } from "../../support/errors.ts";

const KEY = "the-client-s-own-key";
const TOKEN = "the-enrolment-token";
const ENROLLED_AT = NOW - 1000;

function register(key: string, enroll_token?: string): Register {
  return {
    type: "register",
    client_id: "restaurant-001",
    key,
    ...(enroll_token !== undefined && { enroll_token }),
    version: "1.0.0",
    hostname: "till",
    platform: "linux x64",
    chunk_size: 65536,
  };
}

function client(key: string, enrolledAt: number | null): Client {
  return {
    clientId: "restaurant-001",
    keyHash: hashSecret(key),
    enrolledAt,
    revokedAt: null,
    features: [],
    reportedTimeZone: null,
    labels: {},
    timeZone: null,
    hostname: "till",
    platform: "linux x64",
    version: "1.0.0",
    remoteAddress: "127.0.0.1",
    connectedAt: NOW - 2000,
    lastSeenAt: NOW - 2000,
  };
}

describe("who may register", () => {
  const [mine, other] = [KEY, "somebody-else-s-key"];
  const known = {
    nobody: null,
    "my key, enrolled": client(mine, ENROLLED_AT),
    "another key, enrolled": client(other, ENROLLED_AT),
    "my key, never enrolled": client(mine, null),
    "another key, never enrolled": client(other, null),
  };
  type Known = keyof typeof known;
  const AWAY = false;
  const CONNECTED = true;
  const enrolledNow = { enrolledAt: NOW };
  const enrolledBefore = { enrolledAt: ENROLLED_AT };
  const unbound = { enrolledAt: null };

  test.each<[Known, boolean, string | null, string | undefined, object | string]>([
    // Columns: what is known of the id, whether it is connected, the server's token, the token shown by the
    // client, and the expected admission or error code.
    // On a server with a token, an id enrols once, and then belongs to its key.
    ["nobody", AWAY, TOKEN, TOKEN, enrolledNow],
    ["nobody", AWAY, TOKEN, undefined, "enrolment_required"],
    ["nobody", AWAY, TOKEN, "wrong", "enrolment_required"],
    ["nobody", AWAY, TOKEN, `${TOKEN}x`, "enrolment_required"],
    ["my key, enrolled", AWAY, TOKEN, undefined, enrolledBefore],
    ["my key, enrolled", AWAY, TOKEN, TOKEN, enrolledBefore],
    ["my key, enrolled", AWAY, TOKEN, "wrong", enrolledBefore],
    ["my key, enrolled", CONNECTED, TOKEN, undefined, enrolledBefore],
    ["another key, enrolled", AWAY, TOKEN, undefined, "key_mismatch"],
    ["another key, enrolled", CONNECTED, TOKEN, undefined, "key_mismatch"],
    ["another key, enrolled", AWAY, TOKEN, TOKEN, "key_mismatch"],
    ["another key, enrolled", CONNECTED, TOKEN, TOKEN, "key_mismatch"],
    // The id registered while the server had no token, so it never had to prove anything.
    ["my key, never enrolled", AWAY, TOKEN, undefined, "enrolment_required"],
    ["my key, never enrolled", AWAY, TOKEN, TOKEN, enrolledNow],
    ["another key, never enrolled", AWAY, TOKEN, undefined, "enrolment_required"],
    ["another key, never enrolled", CONNECTED, TOKEN, TOKEN, enrolledNow],
    // A server without a token accepts any id, but an id that has enrolled still belongs to its key.
    ["nobody", AWAY, null, undefined, unbound],
    ["nobody", AWAY, null, "anything", unbound],
    ["my key, never enrolled", AWAY, null, undefined, unbound],
    ["my key, never enrolled", CONNECTED, null, undefined, unbound],
    ["another key, never enrolled", AWAY, null, undefined, unbound],
    ["another key, never enrolled", CONNECTED, null, undefined, "id_in_use"],
    ["my key, enrolled", AWAY, null, undefined, enrolledBefore],
    ["my key, enrolled", CONNECTED, null, undefined, enrolledBefore],
    ["another key, enrolled", AWAY, null, undefined, "key_mismatch"],
    ["another key, enrolled", CONNECTED, null, undefined, "key_mismatch"],
  ])("known: %s, connected: %p, token: %p, shown: %p", (who, connected, token, shown, expected) => {
    const decide = () =>
      admit(register(mine, shown), known[who], connected, { token, key: null }, NOW);
    if (typeof expected === "string") {
      expect(codeOf(decide)).toBe(expected);
    } else {
      const keyHash = hashSecret(mine);
      expect(decide()).toEqual({ ...expected, keyHash, usedKey: null } as ReturnType<typeof admit>);
    }
  });

  test("a refusal repeats no secret", () => {
    const [asks, open] = [TOKEN, null].map((token) => ({ token, key: null }));
    for (const refused of [
      () => admit(register(mine, "a-wrong-token"), null, false, asks!, NOW),
      () => admit(register(mine), null, false, asks!, NOW),
      () => admit(register(mine), known["another key, enrolled"], false, asks!, NOW),
      () => admit(register(mine), known["another key, never enrolled"], true, open!, NOW),
    ]) {
      expect(refused).toThrow(FdsError);
      expect(refused).not.toThrow(new RegExp(`${KEY}|${TOKEN}|a-wrong-token|[0-9a-f]{64}`));
    }
  });
});

describe("an enrolment key", () => {
  const good: EnrolmentKey = {
    name: "spring",
    keyHash: "e".repeat(64),
    ids: "restaurant-*",
    labels: {},
    replaces: false,
    maxUses: 2,
    uses: 1,
    createdAt: NOW - 1,
    expiresAt: NOW + 1,
    revokedAt: null,
    lastUsedAt: null,
  };
  const replacing = { ...good, ids: "restaurant-001", replaces: true };
  const bound = client("another-key", ENROLLED_AT);
  const revoked = { ...bound, revokedAt: NOW - 1 };
  const revokedMine = { ...client(KEY, ENROLLED_AT), revokedAt: NOW - 1 };

  test.each<[string, EnrolmentKey, Client | null, string | undefined]>([
    ["lets a new id enrol", good, null, undefined],
    ["lets an id enrol that was never bound", good, client("another-key", null), undefined],
    ["has an end", { ...good, expiresAt: NOW }, null, "enrolment_required"],
    ["has no end", { ...good, expiresAt: null }, null, undefined],
    ["was revoked", { ...good, revokedAt: NOW - 1 }, null, "enrolment_required"],
    ["is used up", { ...good, uses: 2 }, null, "enrolment_required"],
    ["has any number of uses", { ...good, uses: 999, maxUses: null }, null, undefined],
    ["is for other ids", { ...good, ids: "kiosk-*" }, null, "enrolment_required"],
    ["takes no id away", good, bound, "key_mismatch"],
    ["takes one away that it replaces", replacing, bound, undefined],
    ["does so no more once it is used up", { ...replacing, uses: 2 }, bound, "key_mismatch"],
    ["brings no revoked id back", good, revoked, "client_revoked"],
    ["brings one back that it replaces, with another key", replacing, revoked, undefined],
    ["brings no revoked key back", replacing, revokedMine, "client_revoked"],
  ])("%s", (_, key, known, expected) => {
    const decide = () => admit(register(KEY, "secret"), known, false, { token: TOKEN, key }, NOW);
    if (expected !== undefined) return expect(codeOf(decide)).toBe(expected);
    expect(decide()).toEqual({ keyHash: hashSecret(KEY), enrolledAt: NOW, usedKey: key });
  });

  test.each([
    ["restaurant-001", true],
    ["restaurant-*", true],
    ["*", true],
    ["*-001", true],
    ["r*-*1", true],
    ["re*taurant*0*1", true],
    ["restaurant-001*", true],
    ["restaurant-01", false],
    ["restaurant", false],
    ["*-002", false],
    ["restaurant-001*1", false],
    ["r*x*1", false],
    ["restaurant-00?", false],
  ])("for %p is one for restaurant-001: %p", (ids, isFor) => {
    const enrolment = { token: TOKEN, key: { ...good, ids } };
    const code = codeOf(() => admit(register(KEY, "secret"), null, false, enrolment, NOW));
    expect(code).toBe(isFor ? undefined : "enrolment_required");
  });
});

describe("a key that is to be replaced", () => {
  const enrolment = { token: TOKEN, key: null };
  const [old, next] = ["the-old-key", "the-new-key"];
  const shows = (key: string, new_key: string) => ({ ...register(key), new_key });

  test.each([
    ["the old one is known", old],
    ["the new one is known already, and the answer was lost", next],
  ])("is replaced where %s", (_, knownKey) => {
    const admission = admit(shows(old, next), client(knownKey, 5), true, enrolment, NOW);
    expect(admission).toEqual({ keyHash: hashSecret(next), enrolledAt: 5, usedKey: null });
  });

  test("is refused once the new one took its place, and a stranger's new key always", () => {
    for (const message of [register(old), shows("stolen", "stolen too")]) {
      const refused = () => admit(message, client(next, 5), false, enrolment, NOW);
      expect(codeOf(refused)).toBe("key_mismatch");
    }
  });
});

test("secrets are compared whole, whatever their lengths", () => {
  expect(sameSecret("", "")).toBe(true);
  expect(sameSecret("a", "a")).toBe(true);
  for (const [a, b] of [
    ["a", ""],
    ["a", "aa"],
    ["a", "A"],
    ["é", "e\u0301"],
  ] as const) {
    expect(sameSecret(a, b)).toBe(false);
  }
});
