import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ApiClient } from "../../../lib/cli/rest/api-client.ts";
import { partPath } from "../../../lib/cli/rest/part-file.ts";
import { saveSet } from "../../../lib/cli/rest/save-set.ts";
import { TAR_END, tarHeader, tarPadding } from "../../../lib/server/http/tar.ts";
import { downloadRecord, setFileRecord } from "../../support/records.ts";
import { TEST_LIMIT, waitFor } from "../../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Saving a set from its tar archive, as `fds` does when most of the set's files are missing on this
 * machine.
 */

const FOLDER = "site-1/20260102_030405_logs";
const md5 = (data: string) => new Bun.CryptoHasher("md5").update(data).digest("hex");

/** The paths of the set's files. The content of each file is its path. */
const PLACES = Array.from({ length: 120 }, (_, n) => `${n % 7}/file-${n}`);
const ROWS = PLACES.map((place) => setFileRecord(FOLDER, place));
const DIGEST = md5(ROWS.map((row) => `${row.md5}  ${row.saved_path!.slice(7)}\n`).join(""));

let target: string;
beforeEach(async () => {
  target = join(await mkdtemp(join(tmpdir(), "fds-archive-")), "target");
});
afterEach(() => rm(dirname(target), { recursive: true, force: true }));

/** Returns a tar archive of these files. @param contentOf returns a file's content; by default its path */
function archiveOf(places: string[], contentOf = (place: string) => place): Archive {
  const parts = places.flatMap((path) => {
    const content = Buffer.from(contentOf(path));
    const { length: size } = content;
    return [tarHeader({ path, size, mtime: 0 }), content, tarPadding(size)];
  });
  return { bytes: Buffer.concat([...parts, TAR_END]) };
}

/** A server's answer to a request for the archive. */
interface Archive {
  bytes: Buffer;
  /** Called after the bytes were sent. The connection is cut when its promise resolves. Default: no cut. */
  thenCut?: () => Promise<unknown>;
}

interface Asked {
  archives: number;
  /** The paths of files that were requested one by one. */
  files: string[];
}

/**
 * Saves the set from a fake server. @param archive returns the answer to the n-th request for the archive,
 * from 0 on
 */
async function save(archive: (times: number) => Archive, signal?: AbortSignal) {
  const asked: Asked = { archives: 0, files: [] };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://server");
    const path = searchParams.get("path");
    if (pathname.endsWith("/files")) {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ files: ROWS, next_cursor: null }));
    } else if (path === null) {
      const { bytes, thenCut } = archive(asked.archives++);
      response.setHeader("etag", `"${DIGEST}"`).setHeader("content-type", "application/x-tar");
      if (!thenCut) return void response.end(bytes);
      response.write(bytes, () => {
        void thenCut().finally(() => request.socket.destroy());
      });
    } else {
      asked.files.push(path);
      response.writeHead(206, { etag: `"${md5(path)}"` }).end(path);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const record = downloadRecord({
    kind: "set",
    status: "completed",
    saved_path: FOLDER,
    md5: DIGEST,
  });
  const api = new ApiClient({ server: `http://127.0.0.1:${port}` });
  const told: number[] = [];
  const outcome = await saveSet(api, record, target, {
    signal: signal ?? new AbortController().signal,
    patience: 10_000,
    onProgress: ({ bytes }) => told.push(bytes),
  }).then(
    (so) => ({ ...so, error: null }),
    (error: Error) => ({ error: error.message }),
  );
  server.closeAllConnections();
  server.close();
  return { ...outcome, asked, told };
}

/** Expects that every file of the set was saved, and nothing else. */
async function expectAll(): Promise<void> {
  const entries = await readdir(target, { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  expect(names.toSorted()).toEqual(PLACES.map((place) => place.slice(2)).toSorted());
  for (const place of PLACES) expect(await readFile(join(target, place), "utf8")).toBe(place);
}

/** Waits until files of the archive are being written, under temporary names. */
async function untilWritten(): Promise<void> {
  await waitFor(async () => {
    const names = await readdir(target, { recursive: true });
    return names.some((name) => name.endsWith(".part"));
  }, "files to be written");
}

/** Returns the archive of all files, cut after `length` bytes. */
function cutAfter(length: number, thenCut: () => Promise<unknown>): Archive {
  return { bytes: archiveOf(PLACES).bytes.subarray(0, length), thenCut };
}

test("all of it comes by one call, with its times", async () => {
  const outcome = await save(() => archiveOf(PLACES));
  expect(outcome).toMatchObject({ saved: 120, present: 0, failed: 0, error: null });
  expect(outcome.asked).toEqual({ archives: 1, files: [] });
  const bytes = PLACES.join("").length;
  expect([outcome.told.at(-1), Math.max(...outcome.told)]).toEqual([bytes, bytes]);
  const { mtime } = await lstat(join(target, "0/file-0"));
  expect(mtime.toISOString()).toBe("2023-11-14T22:13:20.000Z");
  await expectAll();
});

test("what is here is passed over, and stays as it is", async () => {
  await mkdir(join(target, "3"), { recursive: true });
  await writeFile(join(target, "3/file-3"), "3/file-3");
  const { ino } = await lstat(join(target, "3/file-3"));
  expect(await save(() => archiveOf(PLACES))).toMatchObject({ saved: 119, present: 1 });
  expect((await lstat(join(target, "3/file-3"))).ino).toBe(ino);
  await expectAll();
});

test("a file that an earlier run began is fetched by itself", async () => {
  await mkdir(join(target, "3"), { recursive: true });
  await writeFile(partPath(join(target, "3/file-3"), `md5:${md5("3/file-3")}`), "3/f");
  const { asked } = await save(() => archiveOf(PLACES));
  // The file may be requested twice, because this server ignores the offset in the request.
  expect(new Set(asked.files)).toEqual(new Set(["3/file-3"]));
});

test("few that are missing are fetched one by one", async () => {
  expect(await save(() => archiveOf(PLACES))).toMatchObject({ saved: 120 });
  for (const place of PLACES.slice(0, 40)) await rm(join(target, place));
  const outcome = await save(() => archiveOf(PLACES));
  expect(outcome).toMatchObject({ saved: 40, present: 80, asked: { archives: 0 } });
  await expectAll();
});

test("another file in the place of one is told, and stays", async () => {
  await mkdir(join(target, "3"), { recursive: true });
  await writeFile(join(target, "3/file-3"), "mine");
  expect(await save(() => archiveOf(PLACES))).toMatchObject({ saved: 119, failed: 1 });
  expect(await readFile(join(target, "3/file-3"), "utf8")).toBe("mine");
});

describe("an archive that breaks off", () => {
  test("is fetched again as long as it brings something, then the rest one by one", async () => {
    // Each cut waits until files were written, because an immediate cut makes the runtime drop received
    // bytes.
    const outcome = await save((times) => cutAfter((times + 1) * 30 * 1024, untilWritten));
    expect(outcome).toMatchObject({ saved: 120, failed: 0, error: null });
    expect(outcome.asked.archives).toBeGreaterThan(1);
    expect(outcome.asked.files.length).toBeLessThan(120);
    await expectAll();
  });

  test("and brings nothing leaves all to be asked for by themselves", async () => {
    const outcome = await save(() => cutAfter(100, async () => undefined));
    expect(outcome).toMatchObject({ saved: 120, asked: { archives: 1 } });
    await expectAll();
  });
});

describe("a server that lies", () => {
  test("about the bytes of a file in its archive is asked for that file", async () => {
    const content = (place: string) => (place === "3/file-3" ? "3/FILE-3" : place);
    const outcome = await save(() => archiveOf(PLACES, content));
    expect(outcome).toMatchObject({ saved: 120, asked: { files: ["3/file-3"] } });
    await expectAll();
  });

  test.each<[string, () => Archive]>([
    ["has another file", () => archiveOf(["../outside", ...PLACES.slice(1)])],
    ["has files in another order", () => archiveOf(PLACES.toReversed())],
    ["has a file of another size", () => archiveOf(PLACES, (place) => `${place}!`)],
    ["leaves some out", () => archiveOf(PLACES.slice(0, 60))],
    ["is none", () => ({ bytes: Buffer.from("no archive ".repeat(100)) })],
  ])("is told of when its archive %s, and nothing else is written", async (_, archive) => {
    const { error } = await save(archive);
    expect(error).toStartWith("look at the server: ");
    const names = await readdir(dirname(target), { recursive: true });
    for (const name of names) expect(name).toMatch(/^target(?:\/\d(?:\/file-\d+)?)?$/);
  });
});

test("what was whole when the caller ended it is kept", async () => {
  const end = new AbortController();
  const enough = async () => end.abort(new Error("enough"));
  expect((await save(() => cutAfter(60 * 1024, enough), end.signal)).error).toBe("enough");
  const names = await readdir(target, { recursive: true });
  for (const name of names.filter((one) => one.includes("file-") && !one.includes(".part"))) {
    expect(await readFile(join(target, name), "utf8")).toBe(name);
  }
});
