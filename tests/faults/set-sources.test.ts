import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import { lacksStrace } from "../support/machine.ts";
import { pullSet } from "../support/set-source.ts";
import { md5OfFile, versionOf } from "../support/sources.ts";
import { spawnSync } from "../support/spawn.ts";
import { Strace } from "../support/strace.ts";
import { TEST_LIMIT } from "../support/wait.ts";
import {
  expectNothingLeft,
  FILES,
  LARGE,
  pullHalfSet,
  SOURCE,
  skippedOf,
  stageWithSet,
} from "./set-stage.ts";
import { MiB, type Stage } from "./stage.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Rows 25, 29 and 35 of the fault table, for sets: files that cannot be read, or that change while the set is
 * read.
 */

const [SIZE = 0] = SOURCE.large;
/** A small file sent before the large one, and some that are sent after it. */
const EARLY = "exports/0/0/file-21.bin";
const LATE = ["6/0/file-6.bin", "6/0/file-27.bin", "6/1/file-13.bin", "6/1/file-34.bin"];

/**
 * Expects invariant A for a set with skipped files: all others are there with right checksums, and nothing is
 * left behind.
 * @param missing path and error code of each skipped file
 */
async function expectAllBut(stage: Stage, record: DownloadRecord, missing: [string, string][]) {
  expect(record).toMatchObject({
    status: "completed",
    files_total: FILES,
    files_received: FILES - missing.length,
    files_skipped: missing.length,
  });
  const skipped = await skippedOf(stage, record);
  expect(skipped.map(({ path, error_code }) => [path, error_code])).toEqual(missing.toSorted());
  const name = record.saved_path!.slice("site-1/".length);
  const cwd = join(stage.system.folder, "downloads/site-1");
  const { stdout, stderr } = spawnSync(["md5sum", "-c", "--quiet", `${name}.md5`], { cwd });
  expect(stdout.toString() + stderr.toString()).toBe("");
  const entries = await readdir(join(cwd, name), { recursive: true, withFileTypes: true });
  expect(entries.filter((entry) => entry.isFile())).toHaveLength(FILES - missing.length);
  await expectNothingLeft(stage);
}

function savedFile({ system }: Stage, { saved_path }: DownloadRecord, path: string): string {
  return join(system.folder, "downloads", saved_path!, path);
}

describe.skipIf(lacksStrace !== "")(`row 25: EIO reading a file of a set${lacksStrace}`, () => {
  test.concurrent.each([
    ["a small one", EARLY],
    ["a large one", LARGE],
  ])("%s: it is skipped with the cause, and the others come", async (_, path) => {
    await using stage = await stageWithSet();
    const { system, client } = stage;
    await using strace = await Strace.attach(client, system.folder, {
      calls: "read,pread64,readv,preadv,preadv2",
      inject: "error=EIO",
      path: system.source(path),
    });
    const record = await system.ended(await pullSet(system));
    // The read may fail twice: when the file is opened, and when it is sent.
    expect(strace.injected).toBeLessThanOrEqual(2);
    expect(record.attempts).toBe(1);
    await expectAllBut(stage, record, [[path, "file_unreadable"]]);
    const [skipped] = await skippedOf(stage, record);
    expect(skipped?.error).toContain("EIO");
  });

  test.concurrent("it fails a set that is strict", async () => {
    await using stage = await stageWithSet();
    const { system, client } = stage;
    const how = { calls: "read,pread64", inject: "error=EIO", path: system.source(EARLY) };
    await using _ = await Strace.attach(client, system.folder, how);
    const request = { client_id: "site-1", paths: ["exports"], strict: true };
    const { download_id } = await system.api.startDownload(request);
    const record = await system.ended(download_id);
    expect(record).toMatchObject({ status: "failed", error_code: "file_unreadable", attempts: 1 });
    expect(record.error).toContain("EIO");
    expect(await system.published()).toEqual([]);
    await expectNothingLeft(stage);
  });
});

/** Overwrites the beginning of a file in place with random bytes. */
function overwrite(path: string, length: number): void {
  const fd = fs.openSync(path, "r+");
  fs.writeSync(fd, randomBytes(length), 0, length, 0);
  fs.closeSync(fd);
}

function replace(path: string): void {
  fs.writeFileSync(`${path}.new`, randomBytes(SIZE));
  fs.renameSync(`${path}.new`, path);
}

function rewriteUnseen(path: string): void {
  const { atime, mtime } = fs.statSync(path);
  overwrite(path, SIZE);
  fs.utimesSync(path, atime, mtime);
}

describe("row 29: while it is read, a file of a set is", () => {
  test.concurrent.each<[string, (path: string) => void, "first" | "last"]>([
    ["longer", (path) => fs.appendFileSync(path, randomBytes(MiB)), "first"],
    ["touched", (path) => fs.utimesSync(path, new Date(), new Date()), "first"],
    [
      "given a hard link",
      (path) => fs.linkSync(path, join(dirname(path), "../../../twin")),
      "first",
    ],
    ["shortened to less than was read", (path) => fs.truncateSync(path, MiB), "last"],
    ["shortened to more than was read", (path) => fs.truncateSync(path, SIZE - 1), "last"],
    ["replaced by another file", replace, "last"],
    ["rewritten, with its time set back", rewriteUnseen, "last"],
  ])("%s", async (_, change, delivers) => {
    await using stage = await stageWithSet();
    const { system, proxy } = stage;
    const path = system.source(LARGE);
    const first = await versionOf(path);
    const { downloadId } = await pullHalfSet(stage);
    change(path);
    const last = await versionOf(path);
    proxy.release("up");
    const record = await system.ended(downloadId);
    expect(await versionOf(savedFile(stage, record, LARGE))).toEqual(
      delivers === "first" ? first : last,
    );
    expect(record.attempts).toBe(1);
    await expectAllBut(stage, record, []);
  });

  test.concurrent("deleted: it is skipped, and the others come", async () => {
    await using stage = await stageWithSet();
    const { system, proxy } = stage;
    const { downloadId } = await pullHalfSet(stage);
    fs.unlinkSync(system.source(LARGE));
    proxy.release("up");
    await expectAllBut(stage, await system.ended(downloadId), [[LARGE, "file_not_found"]]);
  });

  test.concurrent("changed in each of three readings: it is skipped", async () => {
    await using stage = await stageWithSet();
    const { system, proxy } = stage;
    const path = system.source(LARGE);
    const { downloadId } = await pullHalfSet(stage);
    replace(path);
    // Changes the file again during its second and its third reading. Before them, about 3 MiB of the first
    // reading and the files after it are sent.
    for (const at of [8 * MiB, 16 * MiB]) void proxy.after("up", at, () => replace(path));
    proxy.release("up");
    await expectAllBut(stage, await system.ended(downloadId), [[LARGE, "source_changed"]]);
  });
});

test("row 35: files of a set that others were put in the place of give nothing away", async () => {
  await using stage = await stageWithSet();
  const { system, proxy } = stage;
  const [link, fifo, folder, gone] = LATE.map((path) => `exports/${path}`);
  const { downloadId } = await pullHalfSet(stage);
  const secret = join(system.folder, "secret");
  fs.mkdirSync(secret);
  // Makes files behind the links. One has the name of a file in the swapped folder, so that following the
  // link would find it.
  for (const name of ["treasure", "file-20.bin"]) fs.writeFileSync(join(secret, name), "treasure");
  for (const path of [link, fifo, folder, gone]) fs.unlinkSync(system.source(path!));
  fs.symlinkSync(join(secret, "treasure"), system.source(link!));
  spawnSync(["mkfifo", system.source(fifo!)]);
  fs.mkdirSync(system.source(folder!));
  fs.renameSync(system.source("exports/6/2"), join(secret, "was"));
  fs.symlinkSync(secret, system.source("exports/6/2"));
  proxy.release("up");
  const record = await system.ended(downloadId);
  const skipped = await skippedOf(stage, record);
  const code = skipped.find(({ path }) => path.includes("/6/2/"))?.error_code ?? "";
  expect(["file_not_found", "file_unreadable"]).toContain(code);
  await expectAllBut(stage, record, [
    [link!, "file_unreadable"],
    [fifo!, "not_a_regular_file"],
    [folder!, "not_a_regular_file"],
    [gone!, "file_not_found"],
    ["exports/6/2/file-20.bin", code],
  ]);
  const digest = await md5OfFile(join(secret, "treasure"));
  const name = record.saved_path!.slice("site-1/".length);
  const sums = await Bun.file(join(system.folder, "downloads/site-1", `${name}.md5`)).text();
  expect(sums).not.toContain(digest);
});
