import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { safeFileName } from "../../lib/util/safe-file-name.ts";
import { hostilePath } from "../support/hostile-paths.ts";

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
