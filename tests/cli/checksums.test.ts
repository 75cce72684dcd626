import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  digestsOfFile,
  parseChecksums,
  readChecksums,
  withChecksum,
  writeChecksums,
} from "../../lib/cli/checksums.ts";
import { spawnSync } from "../support/spawn.ts";

const A = "0cc175b9c0f1b6a831c399e269772661";
const B = "92eb5ffee6ae2fec3ad71c777531578f";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-checksums-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test.each<[string, string, Record<string, string>]>([
  ["nothing", "", {}],
  ["text mode", `${A}  a.txt\n`, { "a.txt": A }],
  ["binary mode", `${A} *a.txt\n`, { "a.txt": A }],
  ["the lines of Windows", `${A}  a.txt\r\n${B}  b.txt\r\n`, { "a.txt": A, "b.txt": B }],
  ["no end of the last line", `${A}  a.txt\n${B}  b.txt`, { "a.txt": A, "b.txt": B }],
  ["capital letters", `${A.toUpperCase()}  a.txt\n`, { "a.txt": A }],
  ["a name with spaces", `${A}  my file  1.txt\n`, { "my file  1.txt": A }],
  ["the same name twice", `${A}  a.txt\n${A} *a.txt\n`, { "a.txt": A }],
  ["a path that begins here", `${A}  ./x//a.txt\n`, { "x/a.txt": A }],
  ["a backslash in a name", `\\${A}  we\\\\ird.txt\n`, { "we\\ird.txt": A }],
  ["ends of lines in a name", `\\${A}  a\\nb\\rc\\\\n\n`, { "a\nb\rc\\n": A }],
  ["a backslash that is no escape", `${A}  we\\nird.txt\n`, { "we\\nird.txt": A }],
  ["what `md5sum --tag` writes", `MD5 (a (1).txt) = ${A}\n`, { "a (1).txt": A }],
  ["its escapes", `\\MD5 (a\\\\b) = ${A}\n`, { "a\\b": A }],
  ["no comments", `# sums\n\n  \r\n`, {}],
])("reads %s", (_, text, sums) => {
  const read = parseChecksums(text);
  expect(Object.fromEntries(read.sums)).toEqual(sums);
  expect(read.badLines).toEqual([]);
});

test.each<[string, string, number[]]>([
  ["one space too few", `${A} a.txt\n`, [1]],
  ["a sum that is too short, or too long", `${A.slice(1)}  a\n${A}0  a\n`, [1, 2]],
  ["no name", `# x\n\n${A}  \n`, [3]],
  ["an escape that nobody writes", `\\${A}  a\\tb\n`, [1]],
  ["an escape without an end", `\\${A}  a\\\n`, [1]],
  ["SHA-256", `${A}${B}  a\nSHA256 (a) = ${A}${B}\n`, [1, 2]],
  ["another sum of the same name", `${A}  a\n${A}  ./a\n${B}  a\n`, [3]],
  ["words", "all is well\n", [1]],
])("does not take for a sum: %s", (_, text, badLines) => {
  expect(parseChecksums(text).badLines).toEqual(badLines);
});

test.each<[string, string, string]>([
  ["into nothing", "", `${B}  b\n`],
  ["at the end", `${A}  a\n`, `${A}  a\n${B}  b\n`],
  ["after a last line without an end", `${A}  a`, `${A}  a\n${B}  b\n`],
  ["in the place of the old one", `${A}  b\n${A}  a\n`, `${B}  b\n${A}  a\n`],
  ["in the place of several", `${A}  a\n${A}  b\n# x\n${B} *b\n`, `${A}  a\n${B}  b\n# x\n`],
  ["beside a similar name", `${A}  a/b\n${A}  bb\n`, `${A}  a/b\n${A}  bb\n${B}  b\n`],
])("puts a sum %s", (_, text, expected) => {
  expect(withChecksum(text, "b", B)).toBe(expected);
});

describe("the file", () => {
  test("is empty where there is none", async () => {
    expect(await readChecksums(join(folder, "sums"))).toBe("");
  });

  test.skipIf(process.platform === "win32")(
    "is not waited for where it is no file (needs POSIX)",
    async () => {
      const fifo = join(folder, "fifo");
      spawnSync(["mkfifo", fifo]);
      await expect(readChecksums(fifo)).rejects.toThrow(/no regular file/);
      await expect(digestsOfFile(fifo, ["md5"])).rejects.toThrow(/no regular file/);
    },
  );

  test("is replaced, and nothing else is left", async () => {
    const file = join(folder, "sums");
    for (const text of [`${A}  a\n`, `${B}  b\n`]) {
      await writeChecksums(file, text);
      expect(await readChecksums(file)).toBe(text);
    }
    expect(await readdir(folder)).toEqual(["sums"]);
  });
});

describe("the digests of a file", () => {
  test("are those of its bytes, all of which are counted", async () => {
    const file = join(folder, "a");
    const bytes = Buffer.alloc(3_000_001, "abc");
    await writeFile(file, bytes);
    let counted = 0;
    const { md5, sha256 } = await digestsOfFile(
      file,
      ["md5", "sha256"],
      undefined,
      (more) => (counted += more),
    );
    expect(md5).toBe(Bun.MD5.hash(bytes, "hex"));
    expect(sha256).toBe(Bun.SHA256.hash(bytes, "hex"));
    expect(counted).toBe(bytes.length);
  });

  test("are not waited for when nobody wants it any more", async () => {
    const file = join(folder, "a");
    await writeFile(file, "a");
    const reason = new Error("enough");
    await expect(digestsOfFile(file, ["md5"], AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
