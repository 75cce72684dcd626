import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { savedPath } from "../../../lib/server/storage/names.ts";
import { isSafeFileName } from "../../../lib/util/safe-file-name.ts";
import { hostilePath } from "../../support/hostile-paths.ts";

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
