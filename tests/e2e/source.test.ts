import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  openSync,
  renameSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import {
  grow,
  overwrite,
  replace,
  rewriteUnseen,
  SIZE,
  startPull,
  touch,
} from "../support/source-changes.ts";
import { versionOf, writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";
import { spawnSync } from "../support/spawn.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * A source file that changes while it is pulled. The change is made when a certain byte passes the proxy.
 * With a receive budget of 1 MiB, the client has then read at most a little further.
 */

const MiB = 1024 * 1024;

const WHEN = 3 * MiB;

/** Replaces the content of a file, as log rotation by copytruncate does. */
function startAnew(path: string): void {
  const fd = openSync(path, "r+");
  ftruncateSync(fd, 0);
  writeSync(fd, randomBytes(1000));
  closeSync(fd);
}

/** Renames a file and creates a new one in its place, as log rotation does. */
function rotate(path: string): void {
  renameSync(path, `${path}.1`);
  writeFileSync(path, "the first line of the next log\n");
}

describe("while it is read, the source is", () => {
  test.each<[string, (path: string) => void, { delivers: "first" | "last"; attempts: number }]>([
    ["longer: what it was at the start is delivered", grow, { delivers: "first", attempts: 1 }],
    [
      "shortened to less than was read",
      (path) => truncateSync(path, MiB),
      { delivers: "last", attempts: 2 },
    ],
    [
      "shortened to more than was read",
      (path) => truncateSync(path, SIZE - 1),
      { delivers: "last", attempts: 2 },
    ],
    ["emptied and begun anew", startAnew, { delivers: "last", attempts: 2 }],
    ["replaced by another file", replace, { delivers: "last", attempts: 2 }],
    ["changed in one byte", (path) => overwrite(path, 0, 1), { delivers: "last", attempts: 2 }],
    ["rewritten, with its time set back", rewriteUnseen, { delivers: "last", attempts: 2 }],
  ])("%s", async (_, change, { delivers, attempts }) => {
    await using pull = await startPull();
    const { system, proxy, path, first } = pull;
    await system.startClient({ server: proxy.url });
    const changed = proxy.after("up", WHEN, () => change(path));
    const record = await system.ended(await system.pull("file"));
    await changed;
    const last = await versionOf(path);
    expect(last).not.toEqual(first);
    await system.expectDelivered(record, delivers === "first" ? first : last);
    expect(record.attempts).toBe(attempts);
    await system.expectTidy();
  });

  test.each<[string, (path: string, passed: number) => void]>([
    ["touched", touch],
    ["given hard links", (path, passed) => linkSync(path, `${path}.${passed}`)],
    ["renamed, and another one has its name", (path, passed) => passed === WHEN && rotate(path)],
  ])("%s: what it was at the start is delivered, and sent once", async (_, change) => {
    await using pull = await startPull();
    const { system, proxy, path, first } = pull;
    await system.startClient({ server: proxy.url });
    for (let at = MiB; at < SIZE; at += MiB) void proxy.after("up", at, () => change(path, at));
    const record = await system.ended(await system.pull("file"));
    await system.expectDelivered(record, first);
    expect(record.attempts).toBe(1);
    await system.expectTidy();
  });

  test("growing all the time: what it was at the start is delivered", async () => {
    await using pull = await startPull();
    const { system, proxy, path, first } = pull;
    await system.startClient({ server: proxy.url });
    for (let at = MiB / 2; at < SIZE; at += MiB / 2) {
      void proxy.after("up", at, () => appendFileSync(path, "another line\n"));
    }
    const record = await system.ended(await system.pull("file"));
    await system.expectDelivered(record, first);
    expect(record.attempts).toBe(1);
    await system.expectTidy();
  });

  test("deleted: it says that there is no such file", async () => {
    await using pull = await startPull();
    const { system, proxy, path } = pull;
    await system.startClient({ server: proxy.url });
    const deleted = proxy.after("up", WHEN, () => unlinkSync(path));
    const record = await system.ended(await system.pull("file"));
    await deleted;
    expect(record).toMatchObject({ status: "failed", error_code: "file_not_found" });
    await system.expectTidy();
    expect(await system.published()).toEqual([]);
  });

  test("changed at every attempt: after three it is given up as source_changed", async () => {
    await using pull = await startPull();
    const { system, proxy, path } = pull;
    await system.startClient({ server: proxy.url });
    for (const attempt of [0, 1, 2]) {
      void proxy.after("up", attempt * SIZE + WHEN, () => overwrite(path, 0, 1));
    }
    const record = await system.ended(await system.pull("file"));
    expect(record).toMatchObject({
      status: "failed",
      error_code: "source_changed",
      attempts: 3,
      md5: null,
      saved_path: null,
    });
    await system.expectTidy();
    expect(await system.published()).toEqual([]);
  });
});

const MEMORY = "/dev/shm";

describe.if(["/proc/uptime", "/sys/class/net/lo/mtu", MEMORY].every((path) => existsSync(path)))(
  "a file whose size cannot be said is refused, and it alone (needs /proc, /sys, /dev/shm):",
  () => {
    test.each<[string, string, object]>([
      [
        "one of /proc, which says that it is empty",
        "/proc/uptime",
        { error_code: "not_a_regular_file", attempts: 1 },
      ],
      [
        "one of /sys, which says that it is a page",
        "/sys/class/net/lo/mtu",
        { error_code: "not_a_regular_file", attempts: 1 },
      ],
      [
        "one with more bytes than a number of JSON says",
        "large",
        { error_code: "file_unreadable" },
      ],
    ])("%s", async (_, path, problem) => {
      await using system = await System.start({}, { within: MEMORY });
      const client = await system.startClient({ roots: ["/proc", "/sys", "root"] });
      const wanted = await writeRandom(system.source("file"), MiB);
      spawnSync(["truncate", "--size=8P", system.source("large")]);
      const refused = await system.pull(path);
      await system.expectDelivered(await system.ended(await system.pull("file")), wanted);
      expect(await system.ended(refused)).toMatchObject({ status: "failed", ...problem });
      expect(client.log().filter(({ message }) => /not connected/.test(message))).toEqual([]);
      await system.expectTidy();
    });
  },
);

test.if(existsSync(MEMORY))(
  "a file from a year that no clock will show is delivered (needs /dev/shm)",
  async () => {
    await using system = await System.start({}, { within: MEMORY });
    await system.startClient();
    const wanted = await writeRandom(system.source("file"), 1000);
    utimesSync(system.source("file"), 1e14, 1e14);
    await system.expectDelivered(await system.ended(await system.pull("file")), wanted);
  },
);
