import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { announceDemo, findKeptDemos } from "../../lib/cli/rest/kept-demo.ts";
import { demoLogs } from "../../lib/cli/guide/logs.ts";
import { findTarget } from "../../lib/cli/guide/target.ts";

const NOBODY = "http://127.0.0.1:1";

let demos: string;
beforeEach(async () => {
  demos = await mkdtemp(join(tmpdir(), "fds-demos-"));
});
afterEach(() => rm(demos, { recursive: true, force: true }));

/** Starts a server that reports itself healthy. */
function healthyServer() {
  const health = { status: "healthy", server_id: "one", version: "1", uptime_seconds: 1 };
  const http = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => Response.json({ ...health, connected_clients: 0, active_downloads: 0 }),
  });
  return {
    url: `http://127.0.0.1:${http.port}`,
    [Symbol.asyncDispose]: () => http.stop(true),
  };
}

/** Makes the folder of a demo that was kept. @param age seconds since the demo started */
async function keep(name: string, server: string, age: number): Promise<string> {
  const folder = join(demos, name);
  await mkdir(folder);
  await announceDemo({ folder, server, token: `token of ${name}` });
  const time = Date.now() / 1000 - age;
  await utimes(join(folder, "demo.json"), time, time);
  return folder;
}

const find = (server: string, isNamed: boolean, signal = new AbortController().signal) =>
  findTarget({ connection: { server }, isNamed, downloadsDir: "here", demos }, signal);

describe("the server to work with", () => {
  test("is the one of the settings, where it answers", async () => {
    await using own = healthyServer();
    await using other = healthyServer();
    await keep("run-1", other.url, 0);
    expect(await find(own.url, false)).toMatchObject({
      server: own.url,
      downloadsDir: "here",
      checksumsFile: "checksums.txt",
      demo: null,
    });
  });

  test("is else the latest demo that still runs", async () => {
    await using old = healthyServer();
    await using latest = healthyServer();
    await keep("run-1", old.url, 20);
    const folder = await keep("run-2", latest.url, 10);
    await keep("run-3", NOBODY, 0);
    await mkdir(join(demos, "run-4"));
    expect(await find(NOBODY, false)).toMatchObject({
      server: latest.url,
      downloadsDir: join(folder, "downloads"),
      checksumsFile: join(folder, "checksums.txt"),
      demo: folder,
    });
  });

  test("is no other than the one that a person named", async () => {
    await using other = healthyServer();
    await keep("run-1", other.url, 0);
    expect(await find(NOBODY, true)).toMatchObject({ server: NOBODY, demo: null });
  });

  test("is the one of the settings where nothing runs, and no demo ever did", async () => {
    await rm(demos, { recursive: true });
    expect(await find(NOBODY, false)).toMatchObject({ server: NOBODY, demo: null });
  });

  test("is not looked for any more when somebody leaves", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    expect(find(NOBODY, false, signal)).rejects.toThrow("enough");
  });
});

describe("a demo that was kept", () => {
  test("is found with its token, the latest one first", async () => {
    const old = await keep("run-1", "http://a", 10);
    const latest = await keep("run-2", "http://b", 0);
    expect(await findKeptDemos(demos)).toMatchObject([
      { folder: latest, server: "http://b", token: "token of run-2" },
      { folder: old, server: "http://a", token: "token of run-1" },
    ]);
  });

  test.skipIf(process.platform === "win32")("is told to its user alone (needs POSIX)", async () => {
    const folder = await keep("run-1", "http://a", 0);
    expect((await stat(join(folder, "demo.json"))).mode & 0o777).toBe(0o600);
  });

  test("has its programs' logs in files, of which the last 50 lines are read", async () => {
    const folder = await keep("run-1", "http://a", 0);
    const lines = Array.from({ length: 60 }, (_, index) => `line ${index + 1}`);
    await writeFile(join(folder, "server.log"), `${lines.join("\n")}\n`);
    await writeFile(join(folder, "restaurant-001.log"), "only this\n");
    const logs = await demoLogs(folder);
    expect(logs.names).toEqual(["restaurant-001", "server"]);
    expect(await logs.read("server")).toEqual(lines.slice(10));
    expect(await logs.read("restaurant-001")).toEqual(["only this"]);
  });
});
