import { describe, expect, test } from "bun:test";
import { FdsError } from "../../lib/protocol/errors.ts";
import type { Register } from "../../lib/protocol/messages.ts";
import { admit, hashSecret, sameSecret } from "../../lib/server/auth.ts";
import type { Client } from "../../lib/server/database/repository.ts";
import { NOW } from "../support/downloads.ts";
import { codeOf } from "../support/errors.ts";

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
    // known, connected, the server's token, the token shown → admission or code
    // A server with a token: an id enrols once, and is its key's from then on.
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
    // It registered while the server had no token: nothing was proved then.
    ["my key, never enrolled", AWAY, TOKEN, undefined, "enrolment_required"],
    ["my key, never enrolled", AWAY, TOKEN, TOKEN, enrolledNow],
    ["another key, never enrolled", AWAY, TOKEN, undefined, "enrolment_required"],
    ["another key, never enrolled", CONNECTED, TOKEN, TOKEN, enrolledNow],
    // A server without a token: any id, but what is bound stays bound.
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
    const decide = () => admit(register(mine, shown), known[who], connected, token, NOW);
    if (typeof expected === "string") {
      expect(codeOf(decide)).toBe(expected);
    } else {
      const replaces = known[who]?.keyHash ?? null;
      expect(decide()).toEqual({ ...expected, replaces } as ReturnType<typeof admit>);
    }
  });

  test("a refusal repeats no secret", () => {
    for (const refused of [
      () => admit(register(mine, "a-wrong-token"), null, false, TOKEN, NOW),
      () => admit(register(mine), null, false, TOKEN, NOW),
      () => admit(register(mine), known["another key, enrolled"], false, TOKEN, NOW),
      () => admit(register(mine), known["another key, never enrolled"], true, null, NOW),
    ]) {
      expect(refused).toThrow(FdsError);
      expect(refused).not.toThrow(new RegExp(`${KEY}|${TOKEN}|a-wrong-token|[0-9a-f]{64}`));
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
