import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { isSafeFileName, safeFileName, savedPath } from "../../../lib/server/storage/names.ts";

describe("safeFileName", () => {
  test.each([
    ["file_to_download.txt", "file_to_download.txt"],
    ["logs/2025/day.log", "day.log"],
    ["~/logs/day.log", "day.log"],
    ["C:\\POS\\logs\\day.log", "day.log"],
    ["\\\\host\\share\\day.log", "day.log"],
    ["C:day.log", "C_day.log"],
    ["logs/day.log/", "day.log"],
    ["a/b\\c", "c"],
    ["../../etc/passwd", "passwd"],
    ["", "file"],
    ["/", "file"],
    ["..", "file"],
    ["a/..", "file"],
    [". . .", "file"],
    [" \t ", "file"],
    [".env", "env"],
    ["...hidden", "hidden"],
    [" .hidden", "hidden"],
    ["name. . ", "name"],
    ["two  spaces.txt", "two  spaces.txt"],
    ["a\0b\n\x1b[31m.txt", "ab[31m.txt"],
    ["a\x7f\x85b", "ab"],
    [`<a>:"|?*.txt`, "_a______.txt"],
    ["file.txt:stream", "file.txt_stream"],
    ["CON", "_CON"],
    ["nul.txt", "_nul.txt"],
    ["Aux .tar.gz", "_Aux .tar.gz"],
    ["COM1.txt", "_COM1.txt"],
    ["com¹.txt", "_com¹.txt"],
    ["LPT³", "_LPT³"],
    ["CONIN$", "_CONIN$"],
    [".con", "_con"],
    ["console.txt", "console.txt"],
    ["COM10", "COM10"],
    ["\u202Egpj.exe", "gpj.exe"],
    ["a\u2066b\u2069c\u200Bd\u200Fe\uFEFFf\u00ADg\u2028h", "abcdefgh"],
    ["\uD800a\uDC00b\u{1F600}", "ab\u{1F600}"],
    ["cafe\u0301.txt", "caf\u00E9.txt"],
    ["файл 文件.txt", "файл 文件.txt"],
  ])("%j becomes %j", (path, name) => {
    expect(safeFileName(path)).toBe(name);
  });

  test.each([
    ["a name of 200 bytes stays", `${"a".repeat(196)}.txt`, `${"a".repeat(196)}.txt`],
    ["the extension is kept", `${"a".repeat(300)}.txt`, `${"a".repeat(196)}.txt`],
    ["without one, the end goes", "a".repeat(300), "a".repeat(200)],
    ["what is too long is no extension", `a.${"b".repeat(300)}`, `a.${"b".repeat(198)}`],
    ["no character is cut in two", `${"é".repeat(150)}.md`, `${"é".repeat(98)}.md`],
    ["nor a surrogate pair", `a${"😀".repeat(60)}`, `a${"😀".repeat(49)}`],
    ["no space or dot is left at the cut", `a${" .".repeat(150)} b`, "a"],
    ["a device appears by the cut", `CON${" ".repeat(250)}x.txt`, "_CON.txt"],
    ["a device is made longer", `CON.${"b".repeat(196)}`, `_CON.${"b".repeat(195)}`],
  ])("a long name: %s", (_, path, name) => {
    expect(safeFileName(path)).toBe(name);
  });

  test("whatever comes, the name is safe, short, and safe again", () => {
    const check = (path: string) => {
      const name = safeFileName(path);
      expect(name).not.toMatch(/[/\\<>:"|?*\p{C}\u2028\u2029]/u);
      expect(name).not.toMatch(/^[\s.]|[\s.]$/);
      expect(name.split(".")[0]?.trim()).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)$/i);
      expect(name.isWellFormed() && name === name.normalize("NFC")).toBe(true);
      expect(Buffer.byteLength(name)).toBeWithin(1, 201);
      expect(safeFileName(name)).toBe(name);
    };
    fc.assert(fc.property(hostilePath, check), { numRuns: 5_000 });
  });
});

describe("savedPath", () => {
  const at = Date.UTC(2025, 0, 2, 3, 4, 5, 678);

  test.each([
    ["a.txt", 1, "site-1/20250102_030405_a.txt"],
    ["a.txt", 2, "site-1/20250102_030405_a-2.txt"],
    ["a.txt", 13, "site-1/20250102_030405_a-13.txt"],
    ["logs/README", 2, "site-1/20250102_030405_README-2"],
    ["db.tar.gz", 2, "site-1/20250102_030405_db.tar-2.gz"],
    ["Dr. Who is here", 2, "site-1/20250102_030405_Dr. Who is here-2"],
    [".env", 2, "site-1/20250102_030405_env-2"],
    ["..", 1, "site-1/20250102_030405_file"],
  ])("%j, try %d: %s", (path, n, expected) => {
    expect(savedPath("site-1", path, at, n)).toBe(expected);
  });

  test("the whole name keeps within 200 bytes, and each try is another one", () => {
    const check = (path: string) => {
      const names = [1, 2, 10_000].map((n) => savedPath("s", path, at, n).slice("s/".length));
      expect(new Set(names).size).toBe(3);
      for (const name of names) {
        expect(isSafeFileName(name)).toBe(true);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
      }
    };
    fc.assert(fc.property(hostilePath, check), { numRuns: 500 });
  });
});

const PIECES = [
  ...'/\\<>:"|?*. \t\0\u007f\u00a0\u200b\u202e\u2066\ufeff\u0301\u0338\u1100\u1161\u3000',
  ..."aZ9_-é文😀",
  "\ud800",
  "\udc00",
  "..",
  "CON",
  "nul.",
  "COM¹",
  ".txt",
  " ".repeat(150),
  ".".repeat(150),
  "a".repeat(150),
  "é".repeat(99),
];

const anyUnit = fc.nat({ max: 0xffff }).map((unit) => String.fromCharCode(unit));

/** Pieces that mean something to some file system, with any UTF-16 at all between them. */
const hostilePath = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), anyUnit), { maxLength: 12 })
  .map((pieces) => pieces.join(""));
