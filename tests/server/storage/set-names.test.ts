import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { isSafeFileName } from "../../../lib/util/safe-file-name.ts";
import { SetNames } from "../../../lib/server/storage/set-names.ts";

/** Few characters, so that many names collide. */
const part = fc.constantFrom("a", "A", "é", "e\u0301", ".", "\\", " ", "-2", "\n", "..");
const someName = fc.string({ unit: part, minLength: 1, maxLength: 4 });
const somePath = fc.array(someName, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));

function placed(...paths: string[]): string[] {
  const names = new SetNames();
  return paths.map((path) => {
    const place = names.add(path);
    // add() returns null only for a path that was added before, and these paths are new.
    if (place === null) throw new Error(`"${path}" has no place`);
    return place;
  });
}

describe("the files of a set", () => {
  test.each([
    [
      ["a.txt", "x/y/b.csv"],
      ["a.txt", "x/y/b.csv"],
    ],
    [
      ["a.txt", "A.TXT", "a.Txt"],
      ["a.txt", "A-2.TXT", "a-3.Txt"],
    ],
    [
      ["x/1", "X/1", "X/2", "x/2"],
      ["x/1", "X-2/1", "X-2/2", "x/2"],
    ],
    [
      ["a", "A/b"],
      ["a", "A-2/b"],
    ],
    [
      ["A/b", "a"],
      ["A/b", "a-2"],
    ],
    [
      ["a-2", "a", "A"],
      ["a-2", "a", "A-3"],
    ],
    [
      ["caf\u00e9", "cafe\u0301"],
      ["caf\u00e9", "caf\u00e9-2"],
    ],
    [
      ["a:b", "a?b"],
      ["a_b", "a_b-2"],
    ],
    [
      ["a\\b", "a/b"],
      ["a_b", "a/b"],
    ],
    [
      ["x\\/b", "x_/c"],
      ["x_/b", "x_-2/c"],
    ],
    [["one\ntwo.txt"], ["onetwo.txt"]],
    [["CON/nul.txt"], ["_CON/_nul.txt"]],
    [[".hidden/.file"], ["hidden/file"]],
    [
      ["..", "a/.../b"],
      ["file", "a/file/b"],
    ],
  ])("%j lie at %j", (paths, expected) => {
    expect(placed(...paths)).toEqual(expected);
  });

  test("take no time that explodes where all have one name", () => {
    const paths = Array.from(
      { length: 50_000 },
      (_, n) => `a${"\u200b".repeat(n % 250)}${" ".repeat(Math.floor(n / 250))}`,
    );
    expect(new Set(placed(...paths)).size).toBe(paths.length);
  });

  test("are known again, whatever their names", () => {
    fc.assert(
      fc.property(fc.uniqueArray(somePath, { maxLength: 30 }), (paths) => {
        const names = new SetNames();
        for (const each of paths) {
          expect(names.add(each), each).not.toBeNull();
          expect(names.add(each), each).toBeNull();
        }
        expect(paths.map((each) => names.add(each))).toEqual(paths.map(() => null));
      }),
    );
  });

  test("never lie at the same place, and are safe", () => {
    fc.assert(
      fc.property(fc.uniqueArray(somePath, { maxLength: 30 }), (paths) => {
        const places = placed(...paths);
        const spellings = places.map((place) => place.normalize("NFC").toLowerCase());
        expect(new Set(spellings).size).toBe(paths.length);
        expect(places.flatMap((place) => place.split("/")).every(isSafeFileName)).toBe(true);
        // No file has the path of another file's folder.
        const folders = new Set(spellings.flatMap(foldersOf));
        expect(spellings.filter((place) => folders.has(place))).toEqual([]);
      }),
    );
  });
});

function foldersOf(path: string): string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join("/"));
}
