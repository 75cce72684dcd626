import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Program } from "../support/programs.ts";
import { md5OfFile, type Version, writeRandom } from "../support/sources.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";
import { type ConsoleEvent, lacksWine, Wine } from "../support/wine.ts";

setDefaultTimeout(TEST_LIMIT);

/* The client that is built for Windows, under Wine, with a real server. */

const ROOT = "C:\\site\\exports";
const MEGABYTE = 1024 * 1024;

describe.skipIf(lacksWine !== "")(`on Windows${lacksWine}`, () => {
  let wine: Wine;
  let system: System;
  let client: Program;
  /** The 8.3 short name of `Private Stuff`, which Windows makes for old programs. */
  let shortName = "";

  const inRoot = (name: string) => wine.path(`${ROOT}\\${name}`);

  async function write(path: string, text: string): Promise<void> {
    await mkdir(dirname(wine.path(path)), { recursive: true });
    await writeFile(wine.path(path), text);
  }

  const startClient = (id: string, ...flags: string[]) =>
    wine.startProgram({
      name: id,
      folder: system.folder,
      argv: ["client", "--id", id, "--server", system.url, "--root", ROOT, ...flags],
      env: { ENROLL_TOKEN },
      ready: new RegExp(`registered as ${id}$`),
    });

  beforeAll(async () => {
    [wine, system] = await Promise.all([Wine.start(), System.start()]);
    await write(`${ROOT}\\a.txt`, "hello");
    await write(`${ROOT}\\Logs\\Till.log`, "a line\n");
    await write(`${ROOT}\\x.bak`, "a copy");
    await write(`${ROOT}\\Private Stuff\\a long name.txt`, "private");
    await write(`${ROOT}\\.env`, "A=1");
    await write(`${ROOT}\\server.key`, "a key");
    await write("C:\\site\\exports-2\\b.txt", "beside");
    await write("C:\\site\\secret.txt", "secret");
    await symlink("../secret.txt", inRoot("link.txt"));
    const listing = await wine.run("wine", "cmd", "/c", `dir /x ${ROOT}`);
    shortName = /(\S+~\S+) +Private Stuff/.exec(listing)![1]!;
    const rules = ["--deny", "*.BAK", "--deny", "private stuff"];
    client = await startClient("win", "--state-dir", `${ROOT}\\state`, ...rules);
  });
  afterAll(async () => {
    await client?.[Symbol.asyncDispose]();
    await system?.[Symbol.asyncDispose]();
    await wine?.[Symbol.asyncDispose]();
  });

  /** Returns the entries of a listed folder; without a path, those of the roots. */
  async function list(path?: string) {
    const { entries } = await system.api.clientFiles("win", { path, cursor: undefined });
    return entries;
  }

  /** Pulls a file. @returns "completed", or the error code of the failed download */
  async function outcome(filePath: string, id = "win"): Promise<string> {
    const { status, error_code } = await system.ended(await system.pull(filePath, id));
    return error_code ?? status;
  }

  test.each([
    "a.txt",
    "A.TXT",
    "logs\\TILL.log",
    "Logs/Till.log",
    ".\\Logs\\..\\a.txt",
    `${ROOT}\\a.txt`,
    "c:/SITE/Exports/a.txt",
  ])("%s is a file that may leave", async (path) => {
    expect(await outcome(path)).toBe("completed");
  });

  test.each([
    ["outside", "C:\\site\\secret.txt"],
    ["above", "..\\secret.txt"],
    ["above, from inside", "Logs\\..\\..\\secret.txt"],
    ["above, with slashes", "Logs/../../secret.txt"],
    ["beside, with the same beginning", "C:\\site\\exports-2\\b.txt"],
    ["through a link", "link.txt"],
    ["relative to another drive", "D:a.txt"],
    ["relative to the drive's root", "\\site\\secret.txt"],
    ["on a share", "\\\\localhost\\c$\\site\\secret.txt"],
    ["on a share, with slashes", "//localhost/c$/site/secret.txt"],
    ["past the rules of names", `\\\\?\\${ROOT}\\a.txt`],
    ["past them, on a share", "\\\\?\\UNC\\localhost\\c$\\site\\secret.txt"],
    ["by the name of a device", `\\\\.\\${ROOT}\\a.txt`],
    ["a disk", "\\\\.\\PhysicalDrive0"],
    ["a stream", "a.txt:hidden"],
    ["the file itself as a stream", "a.txt::$DATA"],
    ["nothing", "NUL"],
    ["the console", "CON"],
    ["a port", "COM1"],
    ["a device with an ending", "Logs\\nul.txt"],
    ["a dot behind", "a.txt."],
    ["a space behind", "a.txt "],
    ["denied", "x.bak"],
    ["denied, in another case", "X.Bak"],
    ["denied, with a dot behind", "x.bak."],
    ["denied, as a stream", "x.bak::$DATA"],
    ["in a denied folder", "Private Stuff\\a long name.txt"],
    ["in a denied folder, in another case", "PRIVATE STUFF/A LONG NAME.TXT"],
    ["hidden", ".env"],
    ["a key", "server.key"],
    ["a key, in another case", "SERVER.KEY"],
    ["the client's own key", "state\\key"],
    ["the client's own key, in another case", "STATE\\KEY"],
    ["the record of requests", "State/requests.log"],
  ])("what does not leave: %s", async (_, path) => {
    expect(await outcome(path)).toBe("access_denied");
  });

  test("by a short name neither", async () => {
    expect(await outcome(`${shortName}\\a long name.txt`)).toBe("access_denied");
    await expect(list(shortName)).rejects.toMatchObject({ code: "access_denied" });
  });

  test("what is not there is told as that", async () => {
    expect(await outcome("gone.txt")).toBe("file_not_found");
    // On Windows, this path is relative to the current folder of drive C:.
    expect(await outcome("C:secret.txt")).toBe("file_not_found");
  });

  test("its folders are listed in any case, without what stays", async () => {
    expect((await list()).map(({ path }) => path)).toEqual([ROOT]);
    const names = (await list("c:\\site\\EXPORTS")).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["Logs", "a.txt"]));
    const kept = new Set(["Private Stuff", "x.bak", ".env", "server.key", "state"]);
    expect(names.filter((name) => kept.has(name))).toEqual([]);
    expect((await list("LOGS")).map(({ name }) => name)).toEqual(["Till.log"]);
  });

  test("a set has what may leave, whatever it is called, and follows no link", async () => {
    const odd = ["Grüße & Co.txt", "日本語.txt", "a;b,c.txt", "100%~1.txt", "#[x]{y}.txt"];
    for (const name of odd) await write(`${ROOT}\\odd\\${name}`, name);
    const { download_id } = await system.api.startDownload({ client_id: "win", paths: ["**"] });
    const record = await system.ended(download_id);
    expect(record.status).toBe("completed");
    const { files } = await system.api.setFiles(download_id, {});
    const received = files.filter(({ status }) => status === "received");
    const skipped = files.filter(({ status }) => status === "skipped");
    expect(skipped.map(({ path }) => path)).toEqual(["link.txt"]);
    const wanted = ["Logs/Till.log", "a.txt", ...odd.map((name) => `odd/${name}`)];
    expect(received.map(({ path }) => path).toSorted()).toEqual(wanted.toSorted());
    for (const { path, saved_path, md5 } of received) {
      const source = await md5OfFile(inRoot(path.replaceAll("/", "\\")));
      expect(md5).toBe(source);
      expect(await md5OfFile(join(system.folder, "downloads", saved_path!))).toBe(source);
    }
  });

  test("a rule is about a name in any case", async () => {
    await using other = await startClient("some", "--state-dir", "C:\\some", "--allow", "LOGS");
    expect(await outcome("logs\\till.log", "some")).toBe("completed");
    expect(await outcome("a.txt", "some")).toBe("access_denied");
    other.signal("SIGINT");
    expect(await other.ended()).toBe(0);
  });

  test("Ctrl-C ends it cleanly", async () => {
    const passing = await startClient("passing", "--state-dir", "C:\\passing");
    passing.signal("SIGINT");
    expect(await passing.ended()).toBe(0);
    const messages = passing.log().map(({ message }) => message);
    expect(messages.slice(-2)).toEqual(["stopping after SIGINT", "stopped"]);
  });

  test.each<[string, ConsoleEvent, string]>([
    ["Ctrl-Break", "break", "SIGBREAK"],
    ["closing its window", "close", "SIGHUP"],
  ])("%s ends it cleanly too", async (_, event, signal) => {
    const stateDir = `C:\\${event}`;
    const closing = await startClient(event, "--state-dir", stateDir);
    await wine.tell(stateDir, event);
    expect(await closing.ended()).toBe(0);
    const messages = closing.log().map(({ message }) => message);
    expect(messages.slice(-2)).toEqual([`stopping after ${signal}`, "stopped"]);
    const record: unknown = await Bun.file(wine.path(`${stateDir}\\connection.json`)).json();
    expect(record).toMatchObject({ state: "stopped" });
  });

  test("shutting the machine down ends it at once, and it comes back", async () => {
    await using going = await startClient("going", "--state-dir", "C:\\going");
    await wine.tell("C:\\going", "shutdown");
    await going.ended();
    await going.restart();
    const known = await system.api.clients();
    expect(known.find(({ client_id }) => client_id === "going")).toMatchObject({ connected: true });
  });

  test("a download goes on where it was when the client was killed", async () => {
    const wanted: Version = await writeRandom(inRoot("big.bin"), 48 * MEGABYTE);
    const flags = ["--state-dir", "C:\\slow", "--rate-limit", "16MiB"];
    await using slow = await startClient("slow", ...flags);
    const id = await system.pull("big.bin", "slow");
    await waitFor(async () => {
      const { bytes_received } = await system.api.download(id);
      return bytes_received > 12 * MEGABYTE;
    }, "a part to be received");
    slow.signal("SIGKILL");
    await slow.restart();
    const record = await system.ended(id);
    await system.expectDelivered(record, wanted);
    expect(record.attempts).toBe(2);
    const lines = await Bun.file(wine.path("C:\\slow\\requests.log")).text();
    const last = JSON.parse(lines.trimEnd().split("\n").at(-1)!) as { bytes_sent: number };
    expect(last.bytes_sent).toBeLessThan(40 * MEGABYTE);
  });
});
