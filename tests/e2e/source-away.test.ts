import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { linkSync, truncateSync, unlinkSync } from "node:fs";
import {
  grow,
  overwrite,
  type Pull,
  replace,
  rewriteUnseen,
  SIZE,
  startPull,
  touch,
} from "../support/source-changes.ts";
import { versionOf } from "../support/sources.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* A source file that changes while its client is away and part of the file is already at the server. */

const MiB = 1024 * 1024;

const WHEN = 3 * MiB;

describe("while its client is away and a part of it at the server, the source is", () => {
  /** Pulls a large part of the file, then kills the client. */
  async function pullHalf({ system, proxy }: Pull) {
    const client = await system.startClient({ server: proxy.url });
    const killed = proxy.after("up", WHEN, () => client.signal("SIGKILL"));
    const downloadId = await system.pull("file");
    await killed;
    const record = await waitFor(async () => {
      const now = await system.api.download(downloadId);
      return now.status === "queued" && now;
    }, "the download to wait for its client");
    expect(record.bytes_received).toBeGreaterThan(MiB);
    return { client, downloadId };
  }

  test.each<[string, (path: string) => void, "first" | "last"]>([
    ["not touched", () => undefined, "first"],
    ["touched", touch, "first"],
    ["given a hard link", (path) => linkSync(path, `${path}.2`), "first"],
    ["longer: what it was at the start is delivered", grow, "first"],
    ["rewritten, with its time set back", rewriteUnseen, "last"],
    ["replaced by another file", replace, "last"],
    ["shortened", (path) => truncateSync(path, SIZE - 1), "last"],
    [
      "longer, and changed in what the server has",
      (path) => {
        grow(path);
        overwrite(path, 0, 1);
      },
      "last",
    ],
  ])("%s", async (_, change, delivers) => {
    await using pull = await startPull();
    const { system, proxy, path, first } = pull;
    const { client, downloadId } = await pullHalf(pull);
    change(path);
    const before = proxy.carried.up;
    await client.restart();
    const record = await system.ended(downloadId);
    const wanted = delivers === "first" ? first : await versionOf(path);
    await system.expectDelivered(record, wanted);
    expect(record.attempts).toBe(2);
    // A matching part is continued. Otherwise the whole file is sent anew, and nothing of the old part is
    // kept.
    const again = proxy.carried.up - before;
    if (delivers === "first") expect(again).toBeLessThan(SIZE - MiB);
    else expect(again).toBeGreaterThan(wanted.size);
    await system.expectTidy();
  });

  test("deleted: it says that there is no such file", async () => {
    await using pull = await startPull();
    const { system, path } = pull;
    const { client, downloadId } = await pullHalf(pull);
    unlinkSync(path);
    await client.restart();
    const record = await system.ended(downloadId);
    expect(record).toMatchObject({ status: "failed", error_code: "file_not_found" });
    await system.expectTidy();
  });
});
