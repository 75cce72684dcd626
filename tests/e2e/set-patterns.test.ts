import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  call,
  content,
  filesOf,
  inFolder,
  pull,
  root,
  system,
  useSets,
} from "../support/set-pulls.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useSets();

/* Which files a pattern selects, and which patterns are refused. */

describe("patterns", () => {
  test.each([
    [["sales_*.csv"], {}, ["sales_1.csv", "sales_2.csv"]],
    [
      ["sales_{2,3}.csv", "logs/day-[12].log"],
      {},
      ["sales_2.csv", "logs/day-1.log", "logs/day-2.log"],
    ],
    [["**/*.txt"], {}, ["logs/deep/er/empty.txt"]],
    [["logs/.*"], {}, ["logs/.hidden"].slice(1)],
    [["sales_*"], { exclude: ["*_1.csv"] }, ["sales_2.csv"]],
    [["sales_*"], { exclude: [] }, ["sales_1.csv", "sales_2.csv"]],
    [["server.key", "sales_1.csv"], {}, ["sales_1.csv"]],
  ])("%j %j name %j", async (paths, fields, expected) => {
    if (expected.length === 0) {
      const record = await pull({ paths, if_none: "complete", ...fields });
      expect(record).toMatchObject({ status: "completed", saved_path: null, files_total: 0 });
      return;
    }
    const record = await pull({ paths, ...fields });
    expect(record.status).toBe("completed");
    expect((await filesOf(record)).map(({ path }) => path)).toEqual(expected);
  });

  test("that are absolute name files inside a root", async () => {
    const record = await pull({ paths: [`${root}/sales_1.csv`] });
    expect((await filesOf(record)).map(({ path }) => path)).toEqual(["sales_1.csv"]);
  });

  test.each([
    [{ paths: ["nothing-*"] }, "file_not_found"],
    [{ paths: ["/etc/*"] }, "access_denied"],
    [{ paths: ["logs"], max_files: 10 }, "too_many_files"],
    [{ paths: ["logs"], max_bytes: "1MiB" }, "set_too_large"],
  ])("%j fail with %s, and leave nothing", async (fields, code) => {
    const before = inFolder("ls");
    expect(await pull(fields)).toMatchObject({ status: "failed", error_code: code });
    expect(inFolder("ls")).toBe(before);
    // The part is removed after the row has changed to failed.
    await waitFor(async () => (await system.parts()).length === 0, "its part to be removed");
  });

  test("that match nothing beside others are told", async () => {
    const record = await pull({ paths: ["no-{1,2}*", "sales_*", `${root}/none/`] });
    expect(record).toMatchObject({
      status: "completed",
      files_total: 2,
      unmatched_paths: ["no-{1,2}*", `${root}/none/`],
    });
    // The set has the default name "files", because its first path is a pattern and names no file.
    expect(record.saved_path).toMatch(/^site-1\/\d{8}_\d{6}_files(-\d+)?$/);
  });

  test("that match nothing are a set of nothing where that is asked for", async () => {
    const record = await pull({ paths: ["nothing-*"], if_none: "complete" });
    expect(record).toMatchObject({ status: "completed", saved_path: null, total_size: 0 });
    expect(record.unmatched_paths).toEqual(["nothing-*"]);
    const tar = await (await content(record)).bytes();
    expect([tar.length, tar.every((byte) => byte === 0)]).toEqual([1024, true]);
  });
});

test.each([
  [{ file_path: "a", paths: ["b"] }, '"paths": give either "file_path" or "paths"'],
  [{ exclude: ["b"] }, '"exclude": goes with "paths"'],
  [{ paths: [] }, '"paths": must name at least one pattern'],
  [{ paths: Array(101).fill("a") }, '"paths": must be at most 100 patterns'],
  [{ paths: ["a".repeat(1025)] }, '"paths", entry 1: must be at most 1024 characters'],
  [{ paths: ["{a"] }, '"paths": "{a" has a "{" without its "}"'],
  [{ paths: ["../a"] }, "leads out of its folder"],
  [{ paths: ["{a,b}".repeat(20)] }, "stand for more than 1000 patterns"],
  [{ paths: ["a"], min_age: "soon" }, '"min_age": must be a duration'],
  [{ paths: ["a"], max_bytes: "much" }, '"max_bytes": must be a size'],
  [{ paths: ["a", 7] }, '"paths", entry 2: must be a text'],
  [{ paths: ["a"], max_bytes: [] }, '"max_bytes": must be a size'],
  [{ paths: ["a"], max_files: 100_001 }, '"max_files": must be at most 100000'],
  [{ paths: ["a"], max_files: 0 }, '"max_files": must be at least 1'],
  [{ paths: ["a"], max_files: 1.5 }, '"max_files": must be a whole number'],
  [{ paths: ["a"], strict: "yes" }, '"strict": must be true or false'],
  [{ paths: ["a"], unchanged: "maybe" }, '"unchanged": must be "send" or "skip"'],
])("%j is refused in words, and changes nothing", async (fields, message) => {
  const { status, body } = await call("/api/download", { client_id: "site-1", ...fields });
  expect({ status, body }).toMatchObject({ status: 400, body: { code: "invalid_request" } });
  expect(String(body["error"])).toContain(message);
});

test("a hundred of the longest patterns are taken", async () => {
  const paths = Array.from({ length: 100 }, (_, n) => `${n}-${"é".repeat(1_000)}`);
  const record = await pull({ paths, exclude: paths, if_none: "complete" });
  expect(record).toMatchObject({ status: "completed", files_total: 0 });
});
