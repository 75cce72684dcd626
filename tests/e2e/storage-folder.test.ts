import { expect, setDefaultTimeout, test } from "bun:test";
import { readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { versionOf, writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

test("files are kept in another folder than the rows, where STORAGE_URL names one", async () => {
  await using system = await System.start({ STORAGE_URL: "files" });
  await system.startClient();
  const wanted = await writeRandom(system.source("file"), 3_000_000);
  const record = await system.ended(await system.pull("file"));
  const path = join(system.folder, "files", record.saved_path ?? "");
  expect([record.status, await versionOf(path)]).toEqual(["completed", wanted]);
  expect(await readdir(join(system.folder, "downloads"))).toEqual([".server"]);
  expect(await readdir(join(system.folder, "files/.server/parts"))).toEqual([]);
  system.server.signal("SIGTERM");
  expect(await system.server.ended()).toBe(0);
  await system.restartServer();
  expect((await system.api.download(record.download_id)).status).toBe("completed");
});

test("a database in a file is one server's alone, by whichever way another one comes to it", async () => {
  await using system = await System.start({ DATABASE_URL: "sqlite://state.db" });
  const file = join(system.folder, "state.db");
  const link = join(system.folder, "link.db");
  await symlink(file, link);
  const before = await versionOf(file);
  for (const path of [file, link]) {
    const other = System.start({ DATABASE_URL: `sqlite://${path}` });
    await expect(other).rejects.toThrow(`another server already uses "${path}"`);
  }
  expect(await versionOf(file)).toEqual(before);
  expect((await system.api.health()).status).toBe("healthy");
});
