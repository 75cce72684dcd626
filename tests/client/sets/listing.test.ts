import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Entry, listFolder, type ListOptions } from "../../../lib/client/sets/listing.ts";
import { Roots, type RootsOptions } from "../../../lib/client/owner-rules/roots.ts";
import { spawnSync } from "../../support/spawn.ts";

/* Listing a folder at a site, as operators see it. */

const isWindows = process.platform === "win32";

let base: string;
let site: string;

beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), "fds-listing-"));
  site = join(base, "site");
  fs.mkdirSync(site);
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

type Asked = Partial<ListOptions> & RootsOptions & { roots?: string[]; meanwhile?: () => void };

async function page(asked: Asked = {}) {
  const { roots = [site], meanwhile, after, limit = 1_000 } = asked;
  const path = "path" in asked ? asked.path : ".";
  const pathCheck = await (await Roots.open(roots, asked)).pathCheck();
  meanwhile?.();
  return listFolder({ pathCheck, path, after, limit });
}

const names = async (asked?: Asked) => (await page(asked)).entries.map(({ name }) => name);

/** Returns a path in the site whose bytes are not UTF-8. */
const raw = (path: string) => Buffer.from(`${site}/${path}`, "latin1");

test("has files and folders alone, and of links nothing", async () => {
  fs.mkdirSync(join(site, "folder"));
  fs.writeFileSync(join(site, "file"), "12345");
  fs.symlinkSync("file", join(site, "link"));
  fs.symlinkSync("folder", join(site, "link-to-folder"));
  if (!isWindows) spawnSync(["mkfifo", join(site, "fifo")]);
  const { entries } = await page();
  expect(entries).toMatchObject([
    { name: "file", type: "file", size: 5 },
    { name: "folder", type: "folder", size: null },
  ]);
});

test("has folders below which something is allowed, and nothing that is denied or hidden", async () => {
  for (const folder of ["a", "b", ".git"]) fs.mkdirSync(join(site, folder));
  for (const file of ["x.csv", "x.log", ".env", "server.key"])
    fs.writeFileSync(join(site, file), "");
  expect(await names({ allow: ["a/x/*.csv"] })).toEqual(["a", "b"]);
  expect(await names({ deny: ["b", "*.log"] })).toEqual(["a", "x.csv"]);
});

describe.skipIf(isWindows)("a name", () => {
  test("that is not UTF-8 is not listed, and what looks the same once", async () => {
    for (const name of ["a\xe8", "a\xe9", "only\xe9"]) fs.mkdirSync(raw(name));
    fs.writeFileSync(join(site, "a\uFFFD"), "mine");
    const { entries } = await page();
    expect(entries).toMatchObject([{ name: "a\uFFFD", type: "file", size: 4 }]);
  });

  test("of any kind is listed as it is, each on one page", async () => {
    const odd = ["\n", "\u001b[31m", '"', "\\", "n".repeat(255), "é", "e\u0301", "｡", "😀"];
    for (const name of odd) fs.writeFileSync(join(site, name), "");
    const all: string[] = [];
    for (let after: string | undefined, isMore = true; isMore;) {
      const { entries, more } = await page({ after, limit: 2 });
      all.push(...entries.map(({ name }) => name));
      after = all.at(-1);
      isMore = more;
    }
    const inBytes = odd.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(all).toEqual(inBytes);
  });
});

test.skipIf(isWindows)("a folder that is swapped for a link meanwhile is no folder", async () => {
  fs.mkdirSync(join(base, "outside"));
  fs.writeFileSync(join(base, "outside/treasure"), "");
  fs.mkdirSync(join(site, "folder/deep"), { recursive: true });
  const pathCheck = await (await Roots.open([site])).pathCheck();
  const find = pathCheck.findFolder.bind(pathCheck);
  // Swaps the folder for a link after its path was checked and before it is opened.
  pathCheck.findFolder = async (path) => {
    const real = await find(path);
    fs.renameSync(join(site, "folder"), join(site, "aside"));
    fs.symlinkSync(join(base, "outside"), join(site, "folder"));
    return real;
  };
  for (const path of ["folder"]) {
    const listed = listFolder({ pathCheck, path, after: undefined, limit: 10 });
    expect(listed).rejects.toMatchObject({ code: expect.stringMatching(/not_a_folder|file_not/) });
  }
});

test("a folder that is gone meanwhile is not found", async () => {
  fs.mkdirSync(join(site, "folder"));
  const meanwhile = () => fs.rmdirSync(join(site, "folder"));
  expect(page({ path: "folder", meanwhile })).rejects.toMatchObject({ code: "file_not_found" });
});

test("of the roots has those that are there", async () => {
  const roots = [join(base, "two"), join(base, "one"), site];
  for (const root of roots.slice(0, 2)) fs.mkdirSync(root);
  const meanwhile = () => fs.rmdirSync(join(base, "one"));
  expect(await names({ roots, path: undefined, meanwhile })).toEqual([site, join(base, "two")]);
});

const inMemory = fs.existsSync("/dev/shm");

test.skipIf(!inMemory)(
  "sizes and times that are beyond all bounds are told as the last",
  async () => {
    const memory = fs.mkdtempSync("/dev/shm/fds-listing-");
    try {
      for (const name of ["big", "late"]) fs.writeFileSync(join(memory, name), "");
      spawnSync(["truncate", "-s", "9007199254740993", join(memory, "big")]);
      spawnSync(["touch", "-d", "@9999999999999", join(memory, "late")]);
      const [big, late] = (await page({ roots: [memory] })).entries as [Entry, Entry];
      expect(big.size).toBe(Number.MAX_SAFE_INTEGER);
      expect(Number.isNaN(new Date(late.mtimeMs).getTime())).toBe(false);
    } finally {
      fs.rmSync(memory, { recursive: true });
    }
  },
);

test.skipIf(!inMemory)("of over 100,000 names has the first ones, and says so", async () => {
  const memory = fs.mkdtempSync("/dev/shm/fds-listing-");
  try {
    for (let n = 0; n <= 100_000; n++) fs.closeSync(fs.openSync(`${memory}/${n}`, "w"));
    const first = await page({ roots: [memory], limit: 3 });
    expect(first).toMatchObject({ more: true, truncated: true });
    expect(first.entries).toHaveLength(3);
    fs.rmSync(join(memory, "7"));
    expect(await page({ roots: [memory], limit: 3 })).toMatchObject({ truncated: false });
  } finally {
    fs.rmSync(memory, { recursive: true });
  }
});
