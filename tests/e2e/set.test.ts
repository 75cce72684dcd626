import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, link, mkdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import type { SetFileRecord } from "../../lib/api/sets.ts";
import { ON_S3 } from "../support/backend.ts";
import { spawnSync } from "../support/spawn.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { API_TOKEN, System } from "../support/system.ts";

setDefaultTimeout(TEST_LIMIT);

/* Folders and patterns (FLEET, "Sets"): many files by one pull, with real programs over REST. */

let system: System;
let root: string;

beforeAll(async () => {
  system = await System.start();
  root = join(system.folder, "root");
  await mkdir(join(root, "logs/deep/er"), { recursive: true });
  await mkdir(join(root, "logs/empty"));
  for (let n = 0; n < 60; n++) {
    await writeFile(join(root, "logs", `day-${n}.log`), `day ${n}\n`.repeat(n));
  }
  await writeFile(join(root, "logs/deep/large.bin"), Buffer.alloc(3_000_000, "large"));
  await writeFile(join(root, "logs/deep/er/empty.txt"), "");
  await writeFile(join(root, "logs/.hidden"), "hidden");
  await utimes(join(root, "logs/day-5.log"), 1_700_000_000, 1_700_000_000);
  await writeFile(join(root, "sales_1.csv"), "1");
  await writeFile(join(root, "sales_2.csv"), "22");
  await writeFile(join(root, "server.key"), "secret");
  await system.startClient();
});
afterAll(() => system[Symbol.asyncDispose]());

async function call(path: string, body?: object) {
  const response = await fetch(`${system.url}${path}`, {
    ...(body && { method: "POST", body: JSON.stringify(body) }),
    headers: { Authorization: `Bearer ${API_TOKEN}`, "Content-Type": "application/json" },
  });
  return { status: response.status, body: (await response.json()) as Record<string, never> };
}

async function pull(fields: object): Promise<DownloadRecord> {
  const { status, body } = await call("/api/download", { client_id: "site-1", ...fields });
  expect([status, body["error"]]).toEqual([202, undefined]);
  return system.ended(body["download_id"]!);
}

async function filesOf({ download_id }: DownloadRecord, query = ""): Promise<SetFileRecord[]> {
  const { body } = await call(`/api/downloads/${download_id}/files?limit=1000&${query}`);
  return (body as unknown as { files: SetFileRecord[] }).files;
}

const content = (record: DownloadRecord, query = "", method = "GET") =>
  fetch(`${system.url}/api/downloads/${record.download_id}/content${query}`, {
    method,
    headers: { Authorization: `Bearer ${API_TOKEN}` },
  });

/** Runs a command in the client's folder of the server. */
function inFolder(...argv: string[]): string {
  const run = spawnSync(argv, { cwd: join(system.folder, "downloads/site-1") });
  return run.stdout.toString() + run.stderr.toString();
}

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
    // How long it will be is not known before, and HEAD says no other length.
    const head = await content(record, "", "HEAD");
    expect(head.headers.get("Content-Type")).toBe("application/x-tar");
    expect(head.headers.get("Content-Length")).toBeNull();
    const one = await content(record, "?path=logs/day-5.log");
    expect(await one.text()).toBe("day 5\n".repeat(5));
    expect(one.headers.get("Content-Length")).toBeOneOf(["30", null]);
    expect((await content(record, "?path=logs/none.log")).status).toBe(404);
  });
});

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
    // First the row says that it is over.
    await waitFor(async () => (await system.parts()).length === 0, "its part to be removed");
  });

  test("that match nothing beside others are told", async () => {
    const record = await pull({ paths: ["no-{1,2}*", "sales_*", `${root}/none/`] });
    expect(record).toMatchObject({
      status: "completed",
      files_total: 2,
      unmatched_paths: ["no-{1,2}*", `${root}/none/`],
    });
    // None of its names is the one of a whole part.
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
    // What is left for later fails no set, and hides nothing that does.
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
  // Whole by itself, also when the first one is gone.
  await rm(join(system.folder, "downloads", first.saved_path!), { recursive: true });
  expect(await (await content(second, "?path=nightly/a")).text()).toBe("a".repeat(1000));
  expect(await pull({ paths: ["nightly"], unchanged: "skip" })).toMatchObject({
    files_unchanged: 2,
  });
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
