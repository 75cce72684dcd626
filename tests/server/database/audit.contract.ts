import { describe, expect, test } from "bun:test";
import type { AuditRow, Standing } from "../../../lib/server/audit/entry.ts";
import type { Repository } from "../../../lib/server/database/repository.ts";
import { type Backend, openedTwice } from "./backend.ts";

const NOW = 1_700_000_000_000;

const happened: AuditRow = {
  auditId: Bun.randomUUIDv7(),
  at: NOW,
  lastAt: NOW + 1,
  count: 2,
  actor: null,
  address: "::1",
  action: "denied",
  target: "GET /api/tokens",
  clientId: null,
  downloadId: null,
  filePath: null,
  outcome: "forbidden",
  standing: "stranger",
  bytes: 400,
};

/** Tests that every repository has to pass: the audit. */
export function auditContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} knows who gets in`, () => {
    /** Two repositories on the same database, as two programs have them. */
    let mine: Repository;
    let others: Repository;

    openedTwice(makeBackend, (...opened) => {
      [mine, others] = opened;
    });

    test("what happened comes back, newest first, in parts, until it is old", async () => {
      const fields: Partial<AuditRow>[] = [
        {},
        { actor: "night", action: "download_start", outcome: "ok", lastAt: NOW + 5 },
        { clientId: "site-1", downloadId: "d", filePath: "ü'\"", outcome: "ok", lastAt: NOW + 9 },
      ];
      const all = fields.map((more) => ({ ...happened, ...more, auditId: Bun.randomUUIDv7() }));
      const [first, second, third] = all as [AuditRow, AuditRow, AuditRow];
      await mine.audit.insertAudit(all);
      await mine.audit.insertAudit([first]);
      const list = (filter: object) => others.audit.listAudit({ limit: 100, ...filter });
      expect(await list({})).toStrictEqual([third, second, first]);
      expect(await list({ limit: 1 })).toStrictEqual([third]);
      expect(await list({ before: third.auditId })).toStrictEqual([second, first]);
      expect(await list({ actor: "night" })).toStrictEqual([second]);
      expect(await list({ action: "denied" })).toStrictEqual([third, first]);
      expect(await list({ outcome: "ok", action: "denied" })).toStrictEqual([third]);
      expect(await list({ clientId: "site-1" })).toStrictEqual([third]);
      expect(await list({ downloadId: "d" })).toStrictEqual([third]);
      expect(await list({ since: NOW + 5 })).toStrictEqual([third, second]);
      expect(await others.audit.removeAudit({ before: NOW + 5 })).toEqual([
        { standing: "stranger", bytes: 400 },
      ]);
      expect(await list({})).toStrictEqual([third, second]);
      expect(await others.audit.removeAudit({ before: NOW + 5 })).toEqual([]);
    });

    test("what happened is weighed, and the oldest of a standing is removed first", async () => {
      const rowOf = (standing: Standing, bytes: number): AuditRow => ({
        ...happened,
        auditId: Bun.randomUUIDv7(),
        standing,
        bytes,
      });
      const [act, known, stranger] = [rowOf("act", 1), rowOf("known", 10), rowOf("known", 20)];
      const many = Array.from({ length: 1234 }, () => rowOf("stranger", 100));
      await mine.audit.insertAudit([act, known, stranger, ...many]);
      expect(await others.audit.auditSizes()).toEqual({ act: 1, known: 30, stranger: 123_400 });
      const removed = await others.audit.removeAudit({ standing: "stranger" });
      const left = await mine.audit.listAudit({ limit: 2000 });
      expect(left).toStrictEqual(
        [act, known, stranger, ...many.slice(removed.length)].toReversed(),
      );
      expect(removed.length).toBeWithin(1, 1234);
      while ((await mine.audit.removeAudit({ standing: "stranger" })).length > 0);
      expect(await mine.audit.auditSizes()).toEqual({ act: 1, known: 30, stranger: 0 });
    });

    test("few that match are found among many, page by page", async () => {
      const many = Array.from({ length: 5000 }, (_, n) => ({
        ...happened,
        auditId: Bun.randomUUIDv7(),
        clientId: n % 2 === 0 ? "site-1" : "site-2",
        actor: n % 1000 === 0 ? "night" : null,
      }));
      await mine.audit.insertAudit(many);
      const wanted = many.filter(({ actor }) => actor !== null).toReversed();
      const list = (filter: object) => mine.audit.listAudit({ limit: 100, ...filter });
      expect(await list({ actor: "night" })).toStrictEqual(wanted);
      expect(await list({ actor: "night", clientId: "site-1" })).toStrictEqual(wanted);
      expect(await list({ actor: "night", clientId: "site-2" })).toStrictEqual([]);
      expect(await list({ actor: "nobody" })).toStrictEqual([]);
      const [first, second] = wanted;
      expect(await list({ actor: "night", limit: 1 })).toStrictEqual([first!]);
      const next = { actor: "night", limit: 1, before: first!.auditId };
      expect(await list(next)).toStrictEqual([second!]);
    });

    test("thousands of things that happened at once are written whole", async () => {
      const many = Array.from({ length: 1234 }, () => ({
        ...happened,
        auditId: Bun.randomUUIDv7(),
      }));
      await mine.audit.insertAudit(many);
      expect(await others.audit.listAudit({ limit: 2000 })).toHaveLength(1234);
    });
  });
}
