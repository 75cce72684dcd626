import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, link, mkdir, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import type { SetFileRecord } from "../../lib/api/sets.ts";
import { ON_S3 } from "../support/backend.ts";
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
import { spawnSync } from "../support/spawn.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useSets();

/* Sets: folders and patterns that are pulled as one download, with real programs over REST. */

describe("a folder", () => {
  let record: DownloadRecord;
  beforeAll(async () => {
    record = await pull({ paths: ["logs"] });
  });

  test("is one download, whose record tells of all its files", () => {
    expect(record).toMatchObject({
      kind: "set",
      status: "completed",
      file_path: null,
      paths: ["logs"],
      exclude: [],
      files_total: 62,
      files_received: 62,
      files_unchanged: 0,
      files_skipped: 0,
      unmatched_paths: [],
      bytes_received: record.total_size,
      percent: 100,
    });
    expect(record.saved_path).toMatch(/^site-1\/\d{8}_\d{6}_logs$/);
  });

  test("lies on the disk as it does at the site, with its checksums beside it", () => {
    const name = record.saved_path!.split("/")[1]!;
    expect(inFolder("md5sum", "-c", "--quiet", `${name}.md5`)).toBe("");
    expect(inFolder("md5sum", `${name}.md5`)).toStartWith(record.md5!);
    const expected = ["Only in ../../root/logs: .hidden", "Only in ../../root/logs: empty", ""];
    expect(inFolder("diff", "-r", "../../root/logs", `${name}/logs`)).toBe(expected.join("\n"));
    if (ON_S3 !== "") return;
    expect(inFolder("stat", "-c", "%Y", `${name}/logs/day-5.log`)).toBe("1700000000\n");
  });

  test("tells of each file what became of it, in pages", async () => {
    const files = await filesOf(record);
    expect(files).toHaveLength(62);
    expect(files.find(({ path }) => path === "logs/day-5.log")).toEqual({
      path: "logs/day-5.log",
      saved_path: `${record.saved_path}/logs/day-5.log`,
      size: 30,
      modified_at: "2023-11-14T22:13:20.000Z",
      md5: new Bun.CryptoHasher("md5").update("day 5\n".repeat(5)).digest("hex"),
      sha256: null,
      status: "received",
      error_code: null,
      error: null,
    });
    const paths: string[] = [];
    for (let cursor = ""; ;) {
      const query = `limit=25${cursor && `&cursor=${cursor}`}`;
      const { body } = await call(`/api/downloads/${record.download_id}/files?${query}`);
      const page = body as unknown as { files: SetFileRecord[]; next_cursor: string | null };
      paths.push(...page.files.map(({ path }) => path));
      if (page.next_cursor === null) break;
      cursor = page.next_cursor;
    }
    expect(paths).toEqual(files.map(({ path }) => path));
  });

  test("comes as a tar archive, and each file by its path", async () => {
    const tar = spawnSync(["tar", "-tf", "-"], {
      stdin: await (await content(record)).bytes(),
    });
    expect(tar.stdout.toString().trim().split("\n")).toHaveLength(62);
    // The length of the archive is not known in advance, so HEAD reports none.
    const head = await content(record, "", "HEAD");
    expect(head.headers.get("Content-Type")).toBe("application/x-tar");
    expect(head.headers.get("Content-Length")).toBeNull();
    const one = await content(record, "?path=logs/day-5.log");
    expect(await one.text()).toBe("day 5\n".repeat(5));
    expect(one.headers.get("Content-Length")).toBeOneOf(["30", null]);
    expect((await content(record, "?path=logs/none.log")).status).toBe(404);
  });
});

describe("what cannot come", () => {
  test("is skipped with its cause, and fails a set that is strict", async () => {
    const folder = join(root, "mixed");
    await mkdir(folder);
    await writeFile(join(folder, "good.txt"), "good");
    await writeFile(join(folder, "a-fresh.txt"), "fresh");
    await utimes(join(folder, "good.txt"), 1_700_000_000, 1_700_000_000);
    await writeFile(Buffer.from(`${folder}/caf\xe9.txt`, "latin1"), "");
    await symlink("/etc/passwd", join(folder, "link"));
    const record = await pull({ paths: ["mixed"], min_age: "1h" });
    expect(record).toMatchObject({ status: "completed", files_received: 1, files_skipped: 2 });
    const skipped = await filesOf(record, "status=skipped");
    expect(skipped.map(({ path, error_code }) => [path, error_code])).toEqual([
      ["mixed/a-fresh.txt", "not_settled"],
      ["mixed/caf\uFFFD.txt", "name_unusable"],
    ]);
    // With `strict`, a file that is too new does not fail the set, and does not hide a file that does.
    for (const fields of [{}, { min_age: "1h" }]) {
      const strict = await pull({ paths: ["mixed"], strict: true, ...fields });
      expect(strict).toMatchObject({ status: "failed", error_code: "name_unusable" });
    }
    const settled = { paths: ["mixed/*.txt"], exclude: ["**/caf*"], min_age: "1h", strict: true };
    expect(await pull(settled)).toMatchObject({ status: "completed", files_skipped: 1 });
    await rm(folder, { recursive: true });
  });

  test.skipIf(process.getuid?.() === 0)("is a file that the client may not read", async () => {
    await writeFile(join(root, "locked.txt"), "");
    await chmod(join(root, "locked.txt"), 0);
    expect(await pull({ paths: ["locked.txt"] })).toMatchObject({ error_code: "access_denied" });
  });
});

test.skipIf(process.platform !== "linux")("names that are not UTF-8 have a row each", async () => {
  await mkdir(join(root, "odd"));
  for (const name of ["caf\xe8", "caf\xe9"]) {
    await writeFile(Buffer.from(`${root}/odd/${name}`, "latin1"), "x");
  }
  await writeFile(join(root, "odd/file"), "x");
  const record = await pull({ paths: ["odd"] });
  expect(record).toMatchObject({ status: "completed", files_received: 1, files_skipped: 2 });
  const skipped = await filesOf(record, "status=skipped");
  expect(skipped.map(({ path, error_code }) => [path, error_code])).toEqual([
    ["odd/caf\uFFFD", "name_unusable"],
    ["odd/caf\uFFFD", "name_unusable"],
  ]);
});

test("files that did not change are linked, and not sent again", async () => {
  const folder = join(root, "nightly");
  await mkdir(folder);
  for (const name of ["a", "b", "c"]) {
    await writeFile(join(folder, name), name.repeat(1000));
    await utimes(join(folder, name), 1_700_000_000, 1_700_000_000);
  }
  const first = await pull({ paths: ["nightly"] });
  await writeFile(join(folder, "b"), "changed");
  const second = await pull({ paths: ["nightly"], unchanged: "skip" });
  expect(second).toMatchObject({ files_received: 1, files_unchanged: 2, total_size: 7 });
  const inodes = inFolder(
    "stat",
    "-c",
    "%i",
    ...[first, second].map(({ saved_path }) => `${saved_path!.split("/")[1]}/nightly/a`),
  );
  if (ON_S3 === "") expect(new Set(inodes.trim().split("\n")).size).toBe(1);
  expect(inFolder("md5sum", "-c", "--quiet", `${second.saved_path!.split("/")[1]}.md5`)).toBe("");
  // A set stays complete when the earlier set whose files it shares is deleted.
  await rm(join(system.folder, "downloads", first.saved_path!), { recursive: true });
  expect(await (await content(second, "?path=nightly/a")).text()).toBe("a".repeat(1000));
  expect(await pull({ paths: ["nightly"], unchanged: "skip" })).toMatchObject({
    files_unchanged: 2,
  });
});

test("links of an attempt that ended early change no earlier set, and are not published", async () => {
  await using other = await System.start({ QUOTA_PER_CLIENT: "7MiB" });
  await other.startClient({ id: "site-1" });
  const write = async (name: string, bytes: number, seconds: number) => {
    await mkdir(other.source("night"), { recursive: true });
    await writeFile(other.source(`night/${name}`), Buffer.alloc(bytes, `${name}${seconds}`));
    await utimes(other.source(`night/${name}`), seconds, seconds);
  };
  const request = { client_id: "site-1", paths: ["night"], unchanged: "skip" as const };
  const begin = async () => (await other.api.startDownload(request)).download_id;
  const folderOf = ({ saved_path }: DownloadRecord) =>
    join(other.folder, "downloads", saved_path!, "night");
  const wrongIn = ({ saved_path }: DownloadRecord) => {
    const name = saved_path!.split("/")[1];
    const cwd = join(other.folder, "downloads/site-1");
    return spawnSync(["md5sum", "-c", "--quiet", `${name}.md5`], { cwd }).stdout.toString();
  };
  const files = [
    ["large", 3 * 1024 ** 2],
    ["middle", 300 * 1024],
    ["small", 1024],
  ] as const;
  for (const [name, size] of files) await write(name, size, 1_700_000_000);
  await write("gone", 2048, 1_700_000_000);
  const first = await other.ended(await begin());

  // Too large with the first set beside it: the attempt ends after it made its links.
  await write("later", 6 * 1024 ** 2, 1_700_000_000);
  const waiting = await begin();
  const isFull = async () => (await other.api.download(waiting)).error_code === "storage_full";
  await waitFor(isFull, "the second set to wait for room");
  for (const [name, size] of files) await write(name, size, 1_700_000_999);
  await rm(other.source("night/gone"));
  await write("later", 10, 1_700_000_999);
  const second = await other.ended(waiting);
  expect(second).toMatchObject({ status: "completed", files_total: 4, files_received: 4 });
  expect([wrongIn(first), wrongIn(second)]).toEqual(["", ""]);
  expect((await readdir(folderOf(second))).toSorted()).toEqual([
    "large",
    "later",
    "middle",
    "small",
  ]);
});

test("a set is proven by SHA-256 where that is asked for", async () => {
  const record = await pull({ paths: ["sales_*"], checksum: "sha256" });
  const name = record.saved_path!.split("/")[1]!;
  expect(inFolder("sha256sum", "-c", "--quiet", `${name}.sha256`)).toBe("");
});

test("hard links, and many names of one file, are files like others", async () => {
  await mkdir(join(root, "twins"));
  await writeFile(join(root, "twins/a"), "same");
  await link(join(root, "twins/a"), join(root, "twins/b"));
  expect(await pull({ paths: ["twins"] })).toMatchObject({ files_received: 2 });
});
