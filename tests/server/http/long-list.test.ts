import { describe, expect, test } from "bun:test";
import { LOCAL_ADMIN } from "../../../lib/server/access/caller.ts";
import { OpenCalls } from "../../../lib/server/access/open-calls.ts";
import { LongAnswers } from "../../../lib/server/http/long-answers.ts";
import { listAnswer, type LongList } from "../../../lib/server/http/long-list.ts";
import { FairTurns } from "../../../lib/util/fair-turns.ts";
import { Logger } from "../../../lib/util/logger.ts";

/* Long lists in a response. The items of the test are the numbers from 1 on. */

interface Item {
  n: number;
  text: string;
}

function setUp() {
  const log: string[] = [];
  const turns = new FairTurns();
  const openCalls = new OpenCalls();
  const logger = new Logger({ level: "debug", format: "json", write: (line) => log.push(line) });
  const answers = new LongAnswers({ turns, openCalls, logger });
  const caller = { ...LOCAL_ADMIN, name: "till" };
  const answeringFor = (method = "GET") =>
    answers.helpersFor(new Request("http://server/", { method }), caller);
  return { log, turns, openCalls, answeringFor };
}

/**
 * Returns a list of the numbers 1 to `count`.
 * @param reads gets the number of rows that each read asked for
 */
function numbers(count: number, page?: LongList<number, Item>["page"], reads: number[] = []) {
  return {
    name: "numbers",
    read: async (after: string | undefined, most: number) => {
      reads.push(most);
      const first = Number(after ?? 0) + 1;
      return Array.from({ length: Math.min(most, count - first + 1) }, (_, n) => first + n);
    },
    idOf: String,
    record: (n: number) => ({ n, text: "x".repeat(100) }),
    ...(page && { page }),
  };
}

const found = async (response: Response) => {
  const { numbers: items, ...rest } = (await response.json()) as { numbers: Item[] };
  return [items.map(({ n }) => n), rest];
};
const upTo = (last: number, first = 1) =>
  Array.from({ length: last - first + 1 }, (_, n) => first + n);

describe("a list", () => {
  test.each([0, 1, 63, 64, 65, 128, 1_000])("of %d comes whole", async (count) => {
    const response = await listAnswer(setUp().answeringFor(), numbers(count));
    expect(response.headers.get("Content-Type")).toBe("application/json");
    expect(await found(response)).toEqual([upTo(count), {}]);
  });

  test.each([
    [10, 10, null],
    [11, 10, "10"],
    [500, 64, "64"],
    [500, 499, "499"],
    [500, 500, null],
    [501, 500, "500"],
    [0, 10, null],
  ])("of %d in pages of %d", async (count, limit, cursor) => {
    const response = await listAnswer(setUp().answeringFor(), numbers(count, { limit }));
    const given = upTo(Math.min(count, limit));
    expect(await found(response)).toEqual([given, { next_cursor: cursor }]);
  });

  test("goes on behind a cursor", async () => {
    const page = { limit: 3, cursor: "7" };
    const response = await listAnswer(setUp().answeringFor(), numbers(20, page));
    expect(await found(response)).toEqual([[8, 9, 10], { next_cursor: "10" }]);
  });

  test("that is short tells its length, and to HEAD the same", async () => {
    const { answeringFor } = setUp();
    for (const method of ["GET", "HEAD"]) {
      const response = await listAnswer(answeringFor(method), numbers(2));
      expect(Number(response.headers.get("Content-Length"))).toBe(
        (await response.clone().text()).length,
      );
    }
  });

  test("that is long is read as fast as it is taken, and not for HEAD", async () => {
    const { answeringFor } = setUp();
    const reads: number[] = [];
    const response = await listAnswer(answeringFor(), numbers(100_000, undefined, reads));
    expect(reads.length).toBeLessThan(20);
    const body = response.body!.getReader();
    for (let n = 0; n < 2; n++) expect((await body.read()).value!.length).toBeLessThan(100_000);
    const before = reads.length;
    await body.read();
    expect(reads.length - before).toBeLessThan(10);
    await body.cancel();
    const head = await listAnswer(answeringFor("HEAD"), numbers(100_000));
    expect([head.status, head.body]).toEqual([200, null]);
  });

  test("ends with the right of its caller", async () => {
    const { answeringFor, openCalls } = setUp();
    const response = await listAnswer(answeringFor(), numbers(100_000));
    const body = response.body!.getReader();
    await body.read();
    openCalls.end(({ name }) => name === "till");
    await expect(body.read()).rejects.toBeUndefined();
  });

  test("that breaks off says why in the log", async () => {
    const { answeringFor, log } = setUp();
    const list = numbers(100_000);
    const read = async (after: string | undefined, most: number) => {
      if (Number(after) > 5_000) throw new Error("the disk is on fire");
      return list.read(after, most);
    };
    const response = await listAnswer(answeringFor(), { ...list, read });
    await expect(response.text()).rejects.toThrow();
    expect(log.join()).toContain("on fire");
  });
});

test("who lets too much wait for its turn is told to wait, and nobody else", async () => {
  const { turns, answeringFor } = setUp();
  const held = Promise.withResolvers<void>();
  const { inTurn } = answeringFor();
  const waiting = Array.from({ length: 401 }, () => inTurn(() => held.promise));
  await expect(inTurn(async () => 1)).rejects.toMatchObject({ code: "rate_limited", wait: 1000 });
  const other = turns.run("other", async () => "done");
  held.resolve();
  expect(await other).toBe("done");
  await Promise.all(waiting);
  expect(await inTurn(async () => 1)).toBe(1);
});
