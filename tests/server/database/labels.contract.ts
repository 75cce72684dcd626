import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { matches, type Requirement, type Selector } from "../../../lib/api/selector.ts";
import { areOf, type Sites } from "../../../lib/server/access/sites.ts";
import type { Client, Repository } from "../../../lib/server/database/repository.ts";
import type { Backend } from "./backend.ts";
import { client, id, queued } from "./samples.ts";

/**
 * Few keys, so that random selectors often match. One is a prefix of another, and one differs only in its
 * case.
 */
const key = fc.constantFrom("a", "ab", "A", "in");
const value = fc.constantFrom("x", "xy", "X", "1");
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    key,
    is: fc.constantFrom("in" as const, "not_in" as const),
    values: fc.array(value, { minLength: 1, maxLength: 3 }),
  }),
  fc.record({ key, is: fc.constantFrom("present" as const, "absent" as const) }),
);
const selector: fc.Arbitrary<Selector> = fc.array(requirement, { minLength: 1, maxLength: 3 });

/** Tests that every repository has to pass: labels. */
export function labelsContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} keeps what is said of clients`, () => {
    let backend: Backend;
    let rows: Repository;

    beforeEach(async () => {
      backend = await makeBackend();
      rows = await backend.open();
    });
    afterEach(async () => {
      await rows.close();
      await backend.remove();
    });

    const register = (clientId: string) => rows.registerClient(client(clientId), null);
    const idsOf = (clients: { clientId: string }[]) => clients.map(({ clientId }) => clientId);

    test("labels are set, changed and removed, each client's by itself", async () => {
      await register("site-1");
      await register("site-2");
      await rows.changeLabels("site-1", { region: "west", tier: "test" });
      await rows.changeLabels("site-2", { region: "east" });
      await rows.changeLabels("site-1", { region: "north", tier: null, none: null });
      await rows.changeLabels("site-1", {});
      expect(await rows.labelsOf("site-1")).toEqual({ region: "north" });
      expect(await rows.labelsOf("nobody")).toEqual({});
      const listed = await rows.listClients({ limit: 9 });
      expect(listed.map(({ labels }) => labels)).toEqual([{ region: "north" }, { region: "east" }]);
    });

    test("a time zone is set and taken back", async () => {
      await register("site-1");
      await rows.setTimeZone("site-1", "Asia/Tokyo");
      expect((await rows.getClient("site-1"))?.timeZone).toBe("Asia/Tokyo");
      await rows.setTimeZone("site-1", null);
      expect((await rows.getClient("site-1"))?.timeZone).toBeNull();
    });

    test("no registration and no revocation changes it, and it outlives the program", async () => {
      await register("site-1");
      await rows.changeLabels("site-1", { region: "west" });
      await rows.setTimeZone("site-1", "Asia/Tokyo");
      const before = await rows.getClient("site-1");
      const again = client("site-1", { labels: {}, timeZone: "UTC", hostname: "new" });
      expect(await rows.registerClient(again, before)).toBe(true);
      await rows.revokeClient("site-1", 7);
      await rows.close();
      rows = await backend.open();
      const after = { ...before, hostname: "new", revokedAt: 7 } as Client;
      expect(await rows.getClient("site-1")).toStrictEqual(after);
      expect(await rows.listClients({ limit: 9 })).toStrictEqual([after]);
    });

    test("selectors mean the same here as in memory", async () => {
      const clients = new Map(
        fc
          .sample(fc.dictionary(key, value), { seed: 16, numRuns: 40 })
          .map((labels, n) => [`site-${n + 10}`, { ...labels }]),
      );
      for (const [clientId, labels] of clients) {
        await register(clientId);
        await rows.changeLabels(clientId, labels);
        await rows.insertDownload(queued(Number(clientId.slice(5)), { clientId }));
      }
      const all = [...clients];
      await fc.assert(
        fc.asyncProperty(selector, fc.subarray([...clients.keys()]), async (wanted, ids) => {
          const expected = idsOf(
            all.flatMap(([clientId, labels]) => (matches(wanted, labels) ? [{ clientId }] : [])),
          );
          expect(idsOf(await rows.listClients({ selector: wanted, limit: 99 }))).toEqual(expected);
          const sites: Sites = { ids: new Set(ids), selector: wanted };
          const theirs = all.flatMap(([clientId, labels]) =>
            areOf(sites, clientId, labels) ? [clientId] : [],
          );
          expect(idsOf(await rows.listClients({ sites, limit: 99 }))).toEqual(theirs);
          const newest = await rows.listDownloads({ sites, limit: 7 });
          expect(idsOf(newest)).toEqual(theirs.toReversed().slice(0, 7));
          const { downloads } = await rows.totalsSince(0, sites);
          expect(downloads.queued).toBe(theirs.length);
          const [clientId = "", labels = {}] = all[ids.length % all.length] ?? [];
          const one = await rows.listDownloads({ clientId, sites, limit: 7 });
          expect(one).toHaveLength(areOf(sites, clientId, labels) ? 1 : 0);
        }),
        { seed: 16, numRuns: 150 },
      );
      expect(await rows.getDownload(id(10))).not.toBeNull();
    });
  });
}
