import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exposedFiles } from "../../lib/util/exposed-files.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fds-exposed-"));
});
afterEach(() => rm(folder, { recursive: true }));

test.skipIf(process.platform === "win32").each([
  [0o600, false],
  [0o400, false],
  // A group may read the file, because TLS keys often belong to a group of their own.
  [0o640, false],
  [0o644, true],
  [0o604, true],
  [0o666, true],
])("a file of mode %o is told of: %p (needs POSIX)", async (mode, told) => {
  const path = join(folder, "key");
  await writeFile(path, "");
  await chmod(path, mode);
  const sentence = `everybody on this machine can read the secret in "${path}", run chmod 600 on it`;
  expect(await exposedFiles(path)).toEqual(told ? [sentence] : []);
});

test("what is not there is not told of", async () => {
  expect(await exposedFiles(null, join(folder, "none"))).toEqual([]);
});
