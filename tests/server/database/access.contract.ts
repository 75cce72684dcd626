import { describe, expect, test } from "bun:test";
import type { ApiToken, EnrolmentKey, NamesPage } from "../../../lib/server/access/rows.ts";
import type { Repository } from "../../../lib/server/database/repository.ts";
import { type Backend, openedTwice } from "./backend.ts";

const NOW = 1_700_000_000_000;

const token: ApiToken = {
  name: "night",
  tokenHash: "a".repeat(64),
  role: "operator",
  sites: ["site-1", "site-2"],
  labels: "region=west",
  createdAt: NOW,
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
};
const enrolmentKey: EnrolmentKey = {
  name: "spring",
  keyHash: "b".repeat(64),
  ids: "till-*",
  labels: { region: "west" },
  replaces: true,
  maxUses: 1,
  uses: 0,
  createdAt: NOW,
  expiresAt: NOW + 10,
  revokedAt: null,
  lastUsedAt: null,
};

/** Tests that every repository has to pass: tokens, sessions and enrolment keys. */
export function accessContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} knows who gets in`, () => {
    /** Two repositories on the same database, as two programs have them. */
    let mine: Repository;
    let others: Repository;

    openedTwice(makeBackend, (...opened) => {
      [mine, others] = opened;
    });

    test("a token comes back as it was made, by its hash", async () => {
      const all: ApiToken = {
        ...token,
        name: "all",
        tokenHash: "c",
        sites: null,
        labels: null,
        expiresAt: NOW,
      };
      expect(await mine.access.insertToken(token)).toBe(true);
      expect(await mine.access.insertToken(all)).toBe(true);
      expect(await others.access.tokenByHash(token.tokenHash)).toStrictEqual(token);
      expect(await others.access.listTokens({ limit: 100 })).toStrictEqual([all, token]);
      expect(await others.access.tokenByHash("another")).toBeNull();
    });

    test("tokens and enrolment keys are listed by name, part by part", async () => {
      for (const one of ["c", "a", "b"]) {
        await mine.access.insertToken({ ...token, name: one, tokenHash: one });
        await mine.access.insertEnrolmentKey({ ...enrolmentKey, name: one, keyHash: one });
      }
      for (const list of [
        (page: NamesPage) => others.access.listTokens(page),
        (page: NamesPage) => others.access.listEnrolmentKeys(page),
      ]) {
        expect(await list({ limit: 2 })).toMatchObject([{ name: "a" }, { name: "b" }]);
        expect(await list({ after: "b", limit: 2 })).toMatchObject([{ name: "c" }]);
      }
    });

    test.each<[string, Partial<ApiToken>, boolean]>([
      ["good", {}, false],
      ["good for a while", { expiresAt: NOW + 1, lastUsedAt: NOW }, false],
      ["revoked", { revokedAt: NOW - 1 }, true],
      ["expired", { expiresAt: NOW }, true],
    ])("a name of a token that is %s: %#", async (_, fields, isFree) => {
      const [old, next] = [
        { ...token, ...fields },
        { ...token, tokenHash: "c" },
      ];
      await mine.access.insertToken(old);
      expect(await others.access.insertToken(next)).toBe(isFree);
      expect(await mine.access.listTokens({ limit: 100 })).toStrictEqual([isFree ? next : old]);
      expect(await mine.access.tokenByHash(old.tokenHash)).toStrictEqual(isFree ? null : old);
      // A late report that the old token was used does not count for the new one.
      await mine.access.recordTokenUse(old.tokenHash, NOW + 5);
      expect((await mine.access.listTokens({ limit: 100 }))[0]?.lastUsedAt).toBe(
        isFree ? null : NOW + 5,
      );
    });

    test("a token is revoked once, and is used later and later", async () => {
      await mine.access.insertToken(token);
      await mine.access.recordTokenUse(token.tokenHash, NOW + 5);
      await others.access.recordTokenUse(token.tokenHash, NOW + 4);
      const revoked = { ...token, lastUsedAt: NOW + 5, revokedAt: NOW + 6 };
      expect(await mine.access.revokeToken("night", NOW + 6)).toStrictEqual(revoked);
      expect(await others.access.revokeToken("night", NOW + 7)).toStrictEqual(revoked);
      expect(await mine.access.revokeToken("nobody", NOW)).toBeNull();
    });

    test("a session is there until it is ended, or forgotten after its time", async () => {
      const none = { tokenHash: null, begunWith: null };
      const session = { ...none, sessionHash: "s", expiresAt: NOW + 10 };
      const named = { ...none, sessionHash: "n", tokenHash: "t", expiresAt: NOW + 20 };
      await mine.access.insertSession(session, NOW, 9);
      await mine.access.insertSession(named, NOW + 9, 9);
      expect(await others.access.getSession("s")).toStrictEqual(session);
      expect(await others.access.getSession("n")).toStrictEqual(named);
      expect(await others.access.deleteSession("n")).toEqual(["n"]);
      expect(await others.access.deleteSession("n")).toEqual([]);
      expect(await mine.access.getSession("n")).toBeNull();
      await mine.access.insertSession(named, NOW + 10, 9);
      expect(await mine.access.getSession("s")).toBeNull();
    });

    test("of each token so many sessions are there, those that were begun last", async () => {
      const begin = (sessionHash: string, tokenHash: string | null, at: number) => {
        // All sessions expire at the same time, so only their order of creation decides.
        const session = { sessionHash, tokenHash, begunWith: null, expiresAt: NOW + 1000 };
        return mine.access.insertSession(session, NOW + at, 2);
      };
      expect(await begin("a", "night", 1)).toEqual([]);
      expect(await begin("b", null, 2)).toEqual([]);
      expect(await begin("c", "night", 3)).toEqual([]);
      expect(await begin("d", "night", 4)).toEqual(["a"]);
      expect(await begin("e", null, 5)).toEqual([]);
      expect(await begin("f", null, 6)).toEqual(["b"]);
      const left = await Promise.all([..."abcdef"].map((hash) => others.access.getSession(hash)));
      expect(left.map((row) => row?.sessionHash ?? "-").join("")).toBe("--cdef");
    });

    test("a session ends with the one that it was begun with", async () => {
      const begin = (sessionHash: string, begunWith: string | null) =>
        mine.access.insertSession(
          { sessionHash, tokenHash: null, begunWith, expiresAt: NOW + 10 },
          NOW,
          9,
        );
      for (const [hash, origin] of [
        ["a", null],
        ["b", "a"],
        ["c", "b"],
        ["d", "a"],
        ["e", null],
      ] as const) {
        await begin(hash, origin);
      }
      expect((await others.access.deleteSession("b")).toSorted()).toEqual(["b", "c"]);
      // Session f comes too late: session c, with which it was begun, is deleted.
      await begin("f", "c");
      const left = async () =>
        (await Promise.all([..."abcdef"].map((hash) => mine.access.getSession(hash)))).map(
          (row) => row?.sessionHash ?? "-",
        );
      expect((await left()).join("")).toBe("a--de-");
      await others.access.deleteSession("a");
      expect((await left()).join("")).toBe("----e-");
    });

    test("a session that is one too many ends with all that were begun with it", async () => {
      const begin = (
        sessionHash: string,
        begunWith: string | null,
        tokenHash: string,
        at: number,
      ) =>
        mine.access.insertSession(
          { sessionHash, tokenHash, begunWith, expiresAt: NOW + 10_000 },
          NOW + at,
          1,
        );
      expect(await begin("a", null, "night", 1)).toEqual([]);
      expect(await begin("b", "a", "day", 2)).toEqual([]);
      expect(await begin("c", "b", "late", 3)).toEqual([]);
      expect((await begin("d", null, "night", 4)).toSorted()).toEqual(["a", "b", "c"]);
      const left = await Promise.all([..."abcd"].map((hash) => others.access.getSession(hash)));
      expect(left.map((row) => row?.sessionHash ?? "-").join("")).toBe("---d");
    });

    test("an enrolment key comes back as it was made", async () => {
      expect(await mine.access.insertEnrolmentKey(enrolmentKey)).toBe(true);
      expect(await others.access.enrolmentKeyByHash(enrolmentKey.keyHash)).toStrictEqual(
        enrolmentKey,
      );
      expect(await others.access.listEnrolmentKeys({ limit: 100 })).toStrictEqual([enrolmentKey]);
      expect(await others.access.enrolmentKeyByHash("another")).toBeNull();
    });

    test.each<[string, Partial<EnrolmentKey>, boolean]>([
      ["good", {}, false],
      ["good for ever", { uses: 9, maxUses: null, expiresAt: null }, false],
      ["used up", { uses: 1 }, true],
      ["expired", { expiresAt: NOW }, true],
      ["revoked", { revokedAt: NOW - 1 }, true],
    ])("a name of an enrolment key that is %s: %#", async (_, fields, isFree) => {
      const [old, next] = [
        { ...enrolmentKey, ...fields },
        { ...enrolmentKey, keyHash: "c", ids: "kiosk-1", maxUses: null },
      ];
      await mine.access.insertEnrolmentKey(old);
      expect(await others.access.insertEnrolmentKey(next)).toBe(isFree);
      expect(await mine.access.listEnrolmentKeys({ limit: 100 })).toStrictEqual([
        isFree ? next : old,
      ]);
      // The replaced key admits nobody any more, and does not use up the new key.
      if (isFree) expect(await mine.access.useEnrolmentKey(old.keyHash, NOW)).toBe(false);
    });

    test.each<[string, Partial<EnrolmentKey>, boolean]>([
      ["good", {}, true],
      ["used up", { uses: 1 }, false],
      ["without a limit", { uses: 999, maxUses: null }, true],
      ["at its end", { expiresAt: NOW }, false],
      ["without an end", { expiresAt: null }, true],
      ["revoked", { revokedAt: NOW - 1 }, false],
    ])("a use of an enrolment key that is %s: %#", async (_, fields, counted) => {
      const key = { ...enrolmentKey, ...fields };
      await mine.access.insertEnrolmentKey(key);
      expect(await mine.access.useEnrolmentKey(enrolmentKey.keyHash, NOW)).toBe(counted);
      const after = counted ? { ...key, uses: key.uses + 1, lastUsedAt: NOW } : key;
      expect(await mine.access.listEnrolmentKeys({ limit: 100 })).toStrictEqual([after]);
    });

    test("of two that race for the last use of an enrolment key, one gets it", async () => {
      await mine.access.insertEnrolmentKey(enrolmentKey);
      const uses = [mine, others].map(({ access }) =>
        access.useEnrolmentKey(enrolmentKey.keyHash, NOW),
      );
      expect((await Promise.all(uses)).toSorted()).toEqual([false, true]);
    });

    test("an enrolment key is revoked once", async () => {
      await mine.access.insertEnrolmentKey(enrolmentKey);
      const revoked = { ...enrolmentKey, revokedAt: NOW };
      expect(await mine.access.revokeEnrolmentKey("spring", NOW)).toStrictEqual(revoked);
      expect(await others.access.revokeEnrolmentKey("spring", NOW + 1)).toStrictEqual(revoked);
      expect(await mine.access.revokeEnrolmentKey("autumn", NOW)).toBeNull();
    });
  });
}
