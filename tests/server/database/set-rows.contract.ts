import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Repository } from "../../../lib/server/database/repository.ts";
import type { ListedFile, SetAttempt, SetFileChange } from "../../../lib/server/set.ts";
import type { Backend } from "./backend.ts";
import { id, queued } from "./samples.ts";

/** More files than one statement reads. */
const MANY = 2_500;

const SET = id(1);

const listed = (index: number): ListedFile => ({
  index,
  path: `logs/${index}.log`,
  root: 0,
  size: 10,
  mtimeNs: "1700000000000000000",
  place: `logs/${index}.log`,
  error: null,
});

/** Tests that every repository has to pass: the files of sets. */
export function setRowsContract(name: string, makeBackend: () => Promise<Backend>): void {
  describe(`${name} keeps the files of sets`, () => {
    let backend: Backend;
    let rows: Repository;
    let attempt: SetAttempt;

    beforeEach(async () => {
      backend = await makeBackend();
      rows = await backend.open();
      attempt = await rows.insertDownload(queued(1));
      const files = Array.from({ length: MANY }, (_, index) => listed(index));
      await rows.sets.insert(attempt, "site-1", files);
    });
    afterEach(async () => {
      await rows.close();
      await backend.remove();
    });

    const received = (index: number): SetFileChange => ({
      index,
      status: "received",
      size: 12,
      mtimeNs: "1700000000000000001",
      digest: "d",
      readAt: 5,
    });

    test("few of a kind are found among many, in their order, part by part", async () => {
      const wanted = [3, 1_200, 2_499];
      await rows.sets.update(attempt, wanted.map(received));
      const found = async (filter: object) =>
        (await rows.sets.list(SET, { limit: 100, ...filter })).map(({ index }) => index);
      expect(await found({ status: "received" })).toEqual(wanted);
      expect(await found({ known: true, limit: 2 })).toEqual(wanted.slice(0, 2));
      expect(await found({ known: true, after: 3 })).toEqual(wanted.slice(1));
      expect(await found({ status: "skipped" })).toEqual([]);
      expect(await found({ after: 2_497 })).toEqual([2_498, 2_499]);
      expect(await found({ limit: MANY })).toHaveLength(MANY);
      expect(await rows.sets.list(id(2), { limit: 100 })).toEqual([]);
    });

    test("all of them are counted", async () => {
      await rows.sets.update(attempt, [received(0), received(2_000)]);
      expect(await rows.sets.counts(SET)).toEqual({
        total: MANY,
        received: 2,
        unchanged: 0,
        skipped: 0,
        bytesReceived: 24,
        bytesListed: 24 + (MANY - 2) * 10,
      });
    });

    test("one that is stored is found by its path", async () => {
      await rows.sets.update(attempt, [received(2_000)]);
      expect(await rows.sets.storedByPath(SET, "logs/2000.log")).toMatchObject({ digest: "d" });
      expect(await rows.sets.storedByPath(SET, "logs/2001.log")).toBeNull();
      expect(await rows.sets.storedByPath(id(2), "logs/2000.log")).toBeNull();
    });

    test("all of a set are forgotten, and none of another", async () => {
      const { epoch } = await rows.insertDownload(queued(2));
      await rows.sets.insert({ downloadId: id(2), epoch }, "site-1", [listed(0)]);
      await rows.sets.clear(attempt);
      expect(await rows.sets.counts(SET)).toMatchObject({ total: 0 });
      expect(await rows.sets.counts(id(2))).toMatchObject({ total: 1 });
    });
  });
}
