import { describe, expect, test } from "bun:test";
import type { ApiClient } from "../../../lib/cli/rest/api-client.ts";
import { findDownloadId } from "../../../lib/cli/rest/download-id.ts";
import { downloadRecord } from "../../support/records.ts";

/** Returns the id of the n-th download. Ids are in the order of creation. */
const idAt = (n: number) => `01a2${String(n).padStart(4, "0")}-0000-7000-8000-000000000000`;

/**
 * Searches among `count` downloads. @returns the id found or the error's message, and how many downloads were
 * read
 */
async function find(text: string, count: number) {
  const newestFirst = Array.from({ length: count }, (_, n) => idAt(count - n));
  let seen = 0;
  const downloads: ApiClient["downloads"] = async ({ limit, cursor } = {}) => {
    const from = cursor === undefined ? 0 : newestFirst.indexOf(cursor) + 1;
    const ids = newestFirst.slice(from, from + Number(limit));
    seen += ids.length;
    return {
      downloads: ids.map((download_id) => downloadRecord({ download_id })),
      next_cursor: from + ids.length < count ? (ids.at(-1) ?? null) : null,
    };
  };
  // `findDownloadId` calls only the method `downloads` of the API.
  const api = { downloads } as ApiClient;
  const found = await findDownloadId(api, text, AbortSignal.timeout(10_000)).catch(
    (error: Error) => error.message,
  );
  return { found, seen };
}

describe("a download is found by the beginning of its id", () => {
  test.each([
    ["the newest", 2_000, 100],
    ["one on a later page", 1_750, 300],
    ["the oldest that is looked at", 1_001, 1_000],
  ])("%s", async (_, n, seen) => {
    expect(await find(idAt(n).slice(0, 9), 2_000)).toEqual({ found: idAt(n), seen });
  });

  test("unless another one begins like it", async () => {
    const { found } = await find("01a2015", 2_000);
    expect(found).toContain("begins with");
    expect((await find("01a2199", 2_000)).found).toContain("both begin with");
  });

  test("and not looked for among those that are older", async () => {
    expect(await find("01a29999", 2_000)).toEqual({
      found: expect.stringContaining("none of the latest 100 begins"),
      seen: 100,
    });
  });
});

test("a server that gives empty pages for ever is left", async () => {
  const downloads = async () => ({ downloads: [], next_cursor: idAt(9) });
  const found = findDownloadId(
    { downloads } as unknown as ApiClient,
    "01a20001",
    new AbortController().signal,
  );
  await expect(found).rejects.toThrow("none of the latest 0");
});
