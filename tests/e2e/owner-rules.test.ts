import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* The rules of a site's owner for what may leave the site, and the log that the owner can read. */

/** Waits until a log in the site's state folder has `count` lines. @returns the parsed lines */
async function recorded(
  system: System,
  file: string,
  count: number,
): Promise<Record<string, unknown>[]> {
  const read = async () => {
    const text = await readFile(join(system.folder, "site-1", file), "utf8").catch(() => "");
    const lines = text.split("\n").filter(Boolean);
    return lines.length >= count && lines.map((line) => JSON.parse(line));
  };
  return waitFor(read, `${count} recorded requests`);
}

test("only what the rules let out leaves, and the site records every request", async () => {
  await using system = await System.start();
  await mkdir(system.source("logs"), { recursive: true });
  const wanted = await writeRandom(system.source("logs/a.log"), 100_000);
  for (const name of ["logs/b.bak", "logs/.env", "other.txt", "server.key"]) {
    await writeFile(system.source(name), "secret");
  }
  const allow = ["logs", "server.key"].join(delimiter);
  await system.startClient({ env: { CLIENT_ALLOW: allow, CLIENT_DENY: "*.bak" } });

  const sent = await system.pull("logs/a.log");
  await system.expectDelivered(await system.ended(sent), wanted);
  const named = await system.ended(await system.pull("server.key"));
  expect(named).toMatchObject({ status: "completed", total_size: 6 });
  const refused = ["logs/b.bak", "logs/.env", "other.txt", "logs/.not-there", "gone.txt"];
  for (const name of refused) {
    expect(await system.ended(await system.pull(name))).toMatchObject({
      status: "failed",
      error_code: "access_denied",
      error: `"${name}" is not among the files that the client serves`,
    });
  }
  const [entry] = await recorded(system, "requests.log", 2);
  expect(entry).toEqual({
    time: expect.any(String),
    server: system.url.replace("http", "ws"),
    download_id: sent,
    file_path: "logs/a.log",
    outcome: "sent",
    bytes_sent: 100_000,
  });
  const entries = await recorded(system, "requests-refused.log", refused.length);
  expect(entries.map(({ file_path }) => file_path)).toEqual(refused);
  for (const one of entries) {
    expect(one).toMatchObject({
      outcome: "refused",
      bytes_sent: 0,
      reason: expect.stringMatching(/^access_denied: /),
    });
  }
});

describe("a set", () => {
  const pull = async (system: System, paths: string[]) => {
    const { download_id } = await system.api.startDownload({ client_id: "site-1", paths });
    return system.ended(download_id);
  };

  test("has only what the rules let out, follows no link, and is on record", async () => {
    await using system = await System.start();
    await mkdir(system.source("logs/private"), { recursive: true });
    await mkdir(join(system.folder, "outside"));
    await writeFile(join(system.folder, "outside/secret.txt"), "secret");
    for (const name of ["a.log", "b.bak", ".env", "server.key", "private/c.log"]) {
      await writeFile(system.source(`logs/${name}`), name);
    }
    await symlink(join(system.folder, "outside"), system.source("logs/folder"));
    await symlink(join(system.folder, "outside/secret.txt"), system.source("logs/link.log"));
    await system.startClient({ env: { CLIENT_DENY: ["*.bak", "private"].join(delimiter) } });

    // Patterns for all names. Names that begin with a dot need a pattern of their own.
    const paths = ["**", "**/.*", "logs/server.key"];
    const record = await pull(system, paths);
    expect(record).toMatchObject({ status: "completed", files_total: 1, files_received: 1 });
    const folder = join(system.folder, "downloads", record.saved_path!);
    const names = await readdir(folder, { recursive: true });
    expect(names.toSorted()).toEqual(["logs", "logs/a.log"]);
    const [entry] = await recorded(system, "requests.log", 1);
    expect(entry).toMatchObject({ download_id: record.download_id, outcome: "sent" });
  });

  test("of a site that lists nothing has files that are named exactly, and no folder", async () => {
    await using system = await System.start();
    await mkdir(system.source("logs"), { recursive: true });
    for (const name of ["a.txt", "logs/b.txt"]) await writeFile(system.source(name), name);
    await system.startClient({ env: { CLIENT_BROWSE: "off" } });
    for (const paths of [["*.txt"], ["logs"], ["a.txt", "logs/*"]]) {
      expect(await pull(system, paths)).toMatchObject({
        status: "failed",
        error_code: "access_denied",
      });
    }
    const named = await pull(system, ["a.txt", "logs/b.txt"]);
    expect(named).toMatchObject({ status: "completed", files_received: 2 });
  });
});

test("a folder is denied by every spelling that means it", async () => {
  await using system = await System.start();
  const spellings: Record<string, string> = {
    one: "./one",
    two: system.source("two"),
    three: "three//p.txt",
    four: "../root/four",
    five: "five/",
  };
  for (const name of [...Object.keys(spellings), "open"]) {
    await mkdir(system.source(name));
    await writeFile(system.source(`${name}/p.txt`), name);
  }
  await system.startClient({ env: { CLIENT_DENY: Object.values(spellings).join(delimiter) } });
  const codes: Record<string, unknown> = {};
  for (const name of [...Object.keys(spellings), "open"]) {
    codes[name] = (await system.ended(await system.pull(`${name}/p.txt`))).error_code;
  }
  const denied = Object.keys(spellings).map((name) => [name, "access_denied"]);
  expect(codes).toEqual({ ...Object.fromEntries(denied), open: null });
});

test("a root given as a link is where the link leads, and the old place is served no more", async () => {
  await using system = await System.start();
  for (const version of ["v1", "v2"]) {
    await mkdir(system.source(version));
    await writeFile(system.source(`${version}/a.txt`), version);
  }
  await symlink("v1", system.source("current"));
  await system.startClient({ roots: ["root/current"] });
  const contentOf = async (filePath: string) => {
    const { saved_path, error_code } = await system.ended(await system.pull(filePath));
    return saved_path
      ? readFile(join(system.folder, "downloads", saved_path), "utf8")
      : `failed: ${error_code}`;
  };
  expect(await contentOf("a.txt")).toBe("v1");
  await rm(system.source("current"));
  await symlink("v2", system.source("current"));
  expect(await contentOf("a.txt")).toBe("v2");
  expect(await contentOf(system.source("v1/a.txt"))).toBe("failed: access_denied");
});

test("no more leaves in a day than the owner lets, over a restart too", async () => {
  await using system = await System.start();
  const wanted = await writeRandom(system.source("a.bin"), 600_000);
  const client = await system.startClient({ env: { MAX_BYTES_PER_DAY: "1000000" } });
  await system.expectDelivered(await system.ended(await system.pull("a.bin")), wanted);
  client.signal("SIGKILL");
  await client.restart();
  expect(await system.ended(await system.pull("a.bin"))).toMatchObject({
    status: "failed",
    error_code: "access_denied",
    error: "the site lets 976.6 KiB a day leave, 390.6 KiB are left, the file needs 585.9 KiB",
  });
});
