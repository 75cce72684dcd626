import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DownloadRecord } from "../../lib/api/schemas.ts";
import {
  type Outcome,
  runProgram,
  type RunOptions,
  Screen,
  startProgram,
} from "../support/operator.ts";
import type { Program } from "../support/programs.ts";
import { Proxy } from "../support/proxy.ts";
import { type Version, versionOf, writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { spawnSync } from "../support/spawn.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

const FILE = "file_to_download.txt";
const SIZE = 5 * 1024 * 1024;

/** A server, the client "site-1" that is connected, and "away", which is not. */
let system: System;
let away: Program;
let original: Version;
/** Where files are saved locally. */
let saved: string;

beforeAll(async () => {
  system = await System.start();
  original = await writeRandom(system.source(FILE), SIZE);
  await system.startClient();
  away = await system.startClient({ id: "away" });
  away.signal("SIGTERM");
  await away.ended();
  saved = join(system.folder, "saved");
});
beforeEach(async () => {
  await rm(saved, { recursive: true, force: true });
  await mkdir(saved);
});
afterAll(() => system[Symbol.asyncDispose]());

const fds = (args: string[], options?: RunOptions) => runProgram(system, ["fds", ...args], options);

/** What a command prints with --json. */
async function json(...args: string[]) {
  const { stdout, stderr, exitCode } = await fds([...args, "--json"]);
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return JSON.parse(stdout);
}

/** A download that waits for a client that is not there. */
const waiting = () => system.pull(FILE, "away");

/** Fields of the lines that a command prints into a pipe. */
function fields({ stdout }: Outcome): string[][] {
  expect(stdout).not.toContain("\x1b");
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t"));
}

describe("what is there", () => {
  test("fds health", async () => {
    expect(await json("health")).toMatchObject({ status: "healthy", connected_clients: 1 });
    expect(fields(await fds(["health"]))).toContainEqual(["status", "healthy"]);
  });

  test("fds clients, also those that are not connected", async () => {
    const { clients } = await json("clients");
    expect(clients).toMatchObject([
      { client_id: "away", connected: false },
      { client_id: "site-1", connected: true },
    ]);
    const lines = fields(await fds(["clients"]));
    expect(lines.map(([id, state]) => [id, state])).toEqual([
      ["away", "offline"],
      ["site-1", "connected"],
    ]);
  });

  test("fds downloads, of a status and a client, and no more than asked for", async () => {
    const id = await waiting();
    await system.ended(await system.pull(FILE));
    await system.ended(await system.pull(FILE));
    const queued = await json("downloads", "--status", "queued", "--client", "away");
    expect(queued.downloads.map((one: DownloadRecord) => one.download_id)).toContain(id);
    expect(new Set(queued.downloads.map((one: DownloadRecord) => one.client_id))).toEqual(
      new Set(["away"]),
    );
    const [only, ...others] = fields(
      await fds(["downloads", "--client", "site-1", "--limit", "1"]),
    );
    expect(only?.slice(1, 5)).toEqual(["site-1", "completed", String(SIZE), String(SIZE)]);
    expect(others).toEqual([]);
    await system.api.cancel(id);
  });

  test("fds downloads and fds audit, page by page", async () => {
    for (let n = 0; n < 4; n++) await system.api.cancel(await waiting());
    for (const [command = "", list = "", id = ""] of [
      ["downloads", "downloads", "download_id"],
      ["audit", "records", "audit_id"],
    ]) {
      const all = (await json(command))[list].slice(0, 4);
      const first = await json(command, "--limit", "2");
      const second = await json(command, "--limit", "2", "--cursor", first.next_cursor);
      const ids = [...first[list], ...second[list]].map((one: Record<string, string>) => one[id]);
      expect(ids).toEqual(all.map((one: Record<string, string>) => one[id]));
    }
  });

  test("fds dashboard, a link that signs a browser in, once", async () => {
    const { url } = await json("dashboard");
    const [address = "", code] = url.split("/#code=");
    expect(address).toBe(system.url);
    const signIn = () =>
      fetch(`${address}/api/session`, { method: "POST", body: JSON.stringify({ code }) });
    expect(await (await signIn()).json()).toMatchObject({ signed_in: true, role: "admin" });
    expect((await signIn()).status).toBe(401);
    const { stdout } = await fds(["dashboard"]);
    expect(stdout).toMatch(/^http:\/\/\S+\/#code=\S+\n$/);
  });

  test("fds status, by the beginning of an id too", async () => {
    const record = await system.ended(await system.pull(FILE));
    expect(await json("status", record.download_id)).toEqual(record);
    expect(await json("status", record.download_id.slice(0, 20))).toEqual(record);
    const lines = fields(await fds(["status", record.download_id]));
    expect(lines).toContainEqual(["md5", original.md5]);
  });

  test("an id that begins like two downloads, or like none, is nobody's", async () => {
    const id = await waiting();
    const other = await waiting();
    const common = [...id].findIndex((char, index) => char !== other[index]);
    const ambiguous = await fds(["status", id.slice(0, common)]);
    expect(ambiguous).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ambiguous.stderr).toContain(id);
    expect(await fds(["status", "00000000-0000"])).toMatchObject({ exitCode: 1, stdout: "" });
    await system.api.cancel(id);
    await system.api.cancel(other);
  });

  test("fds watch, a line for each change, until Ctrl-C", async () => {
    const child = startProgram(system, ["fds", "watch", "--json"]);
    const decoder = new TextDecoder();
    let output = "";
    let id: string | null = null;
    for await (const piece of child.stdout) {
      output += decoder.decode(piece, { stream: true });
      if (id === null && output.includes('"client_id":"site-1"')) id = await system.pull(FILE);
      if (id !== null && new RegExp(`"${id}".+"completed"`).test(output)) child.kill("SIGINT");
    }
    expect(await child.exited).toBe(0);
    const events = output
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events).toContainEqual({ event: "download", data: await json("status", id ?? "") });
    expect(new Set(events.map(({ event }) => event))).toEqual(new Set(["client", "download"]));
  });
});

describe("fds pull", () => {
  test("brings a file to the server", async () => {
    const outcome = await fds(["pull", "site-1"]);
    expect(outcome.exitCode).toBe(0);
    const [[status, client, id = "", size, md5, path] = []] = fields(outcome);
    expect([status, client, size, md5]).toEqual([
      "completed",
      "site-1",
      String(SIZE),
      original.md5,
    ]);
    expect(outcome.stderr).toContain(id);
    expect(outcome.stderr).toContain("100%");
    expect(outcome.stderr).not.toContain("\x1b");
    expect(await versionOf(join(system.folder, "downloads", path ?? ""))).toEqual(original);
  });

  test("with --json prints the record, and nothing else", async () => {
    const record = await json("pull", "site-1", FILE);
    expect(record).toEqual(await system.api.download(record.download_id));
  });

  test("from all that are connected, at once, and says who is left out", async () => {
    const { downloads, left_out } = await json("pull", "--all");
    expect(downloads).toMatchObject([{ client_id: "site-1", md5: original.md5 }]);
    expect(left_out).toEqual(["away"]);
    const { exitCode, stderr } = await fds(["pull", "--all"]);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(
      "1 of 2 clients is not connected and left out: away (--if-offline wait",
    );
    expect(stderr).toContain("1 of 1  100%");
  });

  test("from all, waits for the others where it is told to", async () => {
    const result = fds(["pull", "--all", "--if-offline", "wait", "--json"]);
    await away.restart();
    const { exitCode, stdout } = await result;
    away.signal("SIGTERM");
    await away.ended();
    expect(exitCode).toBe(0);
    const { downloads, left_out } = JSON.parse(stdout);
    expect(downloads.map(({ client_id }: DownloadRecord) => client_id).toSorted()).toEqual([
      "away",
      "site-1",
    ]);
    expect(left_out).toEqual([]);
  });

  test("from all, fails for those that are away where that matters", async () => {
    const args = ["pull", "--all", "--if-offline", "fail"];
    const { exitCode, stdout, stderr } = await fds(args);
    expect(exitCode).toBe(1);
    expect(fields({ exitCode, stdout, stderr }).map(([status]) => status)).toEqual(["completed"]);
    expect(stderr).toMatch(/^error: 1 of 2 files verified, .+, 1 did not arrive, away: .+$/m);
    const answer = JSON.parse((await fds([...args, "--json"])).stdout);
    expect(answer).toMatchObject({ refused: [{ client_id: "away" }], left_out: [] });
  });

  test("of a file that is not there fails, and says why", async () => {
    const { exitCode, stdout, stderr } = await fds(["pull", "site-1", "nothing.txt", "--json"]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ status: "failed", error_code: "file_not_found" });
    expect(stderr).toMatch(/^error: site-1: failed: .+\n$/);
  });

  test.each([
    ["a client that nobody knows", ["nobody"], /"nobody"/],
    ["a client that is away, where that matters", ["away", "--if-offline", "fail"], /"away"/],
  ])("of %s fails", async (_, args, said) => {
    const { exitCode, stdout, stderr } = await fds(["pull", ...args]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(said);
  });

  test("survives a restart of the server, and goes on watching", async () => {
    const child = startProgram(system, ["fds", "pull", "away"]);
    const decoder = new TextDecoder();
    let said = "";
    let restarted = false;
    for await (const piece of child.stderr) {
      said += decoder.decode(piece, { stream: true });
      // Not as soon as the row is there: then the answer to the request may be under way.
      if (restarted || !/queued$/m.test(said)) continue;
      restarted = true;
      system.server.signal("SIGKILL");
      await system.restartServer();
      await away.restart();
    }
    expect(await child.exited).toBe(0);
    expect(await child.stdout.text()).toContain(original.md5);
    away.signal("SIGTERM");
    await away.ended();
  });

  test("that a signal ends leaves the download running, and says which", async () => {
    const child = startProgram(system, ["fds", "pull", "away"]);
    const decoder = new TextDecoder();
    let said = "";
    for await (const piece of child.stderr) {
      said += decoder.decode(piece, { stream: true });
      if (/queued$/m.test(said)) child.kill("SIGINT");
    }
    expect(await child.exited).toBe(130);
    const id = /it goes on at the server: (\S+)/.exec(said)?.[1] ?? "";
    expect((await system.api.download(id)).status).toBe("queued");
    await system.api.cancel(id);
  });
});

describe("fds pull -o", () => {
  test("saves the file under a name, and nothing beside it", async () => {
    const path = join(saved, "here.bin");
    expect(await json("pull", "site-1", "-o", path)).toMatchObject({ local_path: path });
    expect(await versionOf(path)).toEqual(original);
    expect(await readdir(saved)).toEqual(["here.bin"]);
  });

  test("saves it in a folder, under its own name; the same once more is no harm", async () => {
    for (let round = 0; round < 2; round++) {
      expect(await fds(["pull", "site-1", "--output", saved])).toMatchObject({ exitCode: 0 });
      expect(await versionOf(join(saved, FILE))).toEqual(original);
    }
  });

  test("never overwrites another file", async () => {
    const path = join(saved, "mine.txt");
    await writeFile(path, "mine");
    const { exitCode, stderr } = await fds(["pull", "site-1", "-o", path]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`"${path}"`);
    expect(await readFile(path, "utf8")).toBe("mine");
    expect(await readdir(saved)).toEqual(["mine.txt"]);
  });

  test.skipIf(process.platform === "win32")(
    "refuses what is no file, before it pulls anything (needs POSIX)",
    async () => {
      const fifo = join(saved, "fifo");
      spawnSync(["mkfifo", fifo]);
      const before = await json("downloads");
      for (const path of ["/dev/null", fifo]) {
        const { exitCode, stdout, stderr } = await fds(["pull", "site-1", "-o", path]);
        expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
        expect(stderr).toBe(
          `error: pass another -o, or "-" for standard output: "${path}" is no regular file\n`,
        );
      }
      expect(await json("downloads")).toEqual(before);
    },
  );

  test("takes the longest name that a disk has", async () => {
    const path = join(saved, "x".repeat(255));
    expect(await fds(["pull", "site-1", "-o", path])).toMatchObject({ exitCode: 0 });
    expect(await versionOf(path)).toEqual(original);
  });

  test("says at once that there is no such folder", async () => {
    const { exitCode, stderr } = await fds(["pull", "site-1", "-o", join(saved, "no/file")]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^error: make the folder ".+" first.*\n$/);
  });

  test("goes on where it broke off, over restarts of the server and of itself", async () => {
    await using proxy = await Proxy.listen(system.port);
    // so slow that all that came was read, as a reset throws away what was not
    proxy.shape({ bytesPerSecond: 2 * SIZE });
    const path = join(saved, "resumed.bin");
    // in the middle of the saving: the answers to all other calls are small
    const broken = proxy.after("down", SIZE / 2, () => {
      system.server.signal("SIGKILL");
      proxy.cut("rst");
    });
    const result = fds(["pull", "site-1", "-o", path, "--server", proxy.url]);
    await broken;
    await system.restartServer();
    expect(await result).toMatchObject({ exitCode: 0 });
    expect(await versionOf(path)).toEqual(original);
    expect(await readdir(saved)).toEqual(["resumed.bin"]);
    expect(proxy.carried.down).toBeLessThan(SIZE * 1.3);
  });
});

describe("fds pull -o -", () => {
  test("writes the file to standard output, and all else to standard error", async () => {
    const child = startProgram(system, ["fds", "pull", "site-1", "-o", "-"]);
    const [bytes, stderr] = await Promise.all([child.stdout.bytes(), child.stderr.text()]);
    expect(await child.exited).toBe(0);
    expect(Buffer.compare(bytes, await readFile(system.source(FILE)))).toBe(0);
    expect(stderr).toContain(`completed\tsite-1`);
    expect(stderr).toContain("100%");
  });

  test("ends quietly when nobody reads any more", async () => {
    const child = startProgram(system, ["fds", "pull", "site-1", "-o", "-"]);
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    expect(value?.length).toBeGreaterThan(0);
    await reader.cancel();
    expect(await child.stderr.text()).not.toContain("error");
    expect([0, 141]).toContain((await child.exited) ?? -1);
  });

  test("is refused where JSON is wanted too", async () => {
    const { exitCode, stdout, stderr } = await fds(["pull", "site-1", "-o", "-", "--json"]);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ code: "usage_error" });
    expect(stderr).toMatch(/^error: --output is "-".+\n$/);
  });
});

describe("cancel and retry", () => {
  test("of a download that waits", async () => {
    const id = await waiting();
    expect(await json("cancel", id)).toMatchObject({ download_id: id, status: "cancelled" });
    const { exitCode, stdout } = await fds(["retry", id]);
    expect(exitCode).toBe(0);
    const again = stdout.trim();
    expect(await system.api.download(again)).toMatchObject({ client_id: "away", status: "queued" });
    expect(await fds(["cancel", again])).toMatchObject({ exitCode: 0 });
  });

  test("what failed is listed as open until it is retried", async () => {
    const { download_id: id } = await system.ended(await system.pull("none.bin"));
    const open = async () =>
      fields(await fds(["downloads", "--open", "--client", "site-1"])).map(([first]) => first);
    expect(await open()).toContain(id);
    const again = (await fds(["retry", id])).stdout.trim();
    await system.ended(again);
    expect(await open()).not.toContain(id);
    expect(await open()).toContain(again);
    expect(fields(await fds(["status", id]))).toContainEqual(["retried_as", again]);
  });

  test("of one that is completed are refused", async () => {
    const { download_id: id } = await system.ended(await system.pull(FILE));
    expect(await fds(["cancel", id])).toMatchObject({ exitCode: 1, stdout: "" });
    expect(await fds(["retry", id])).toMatchObject({ exitCode: 1, stdout: "" });
  });
});

describe("fds verify", () => {
  /** A download of its own, with the path of its file. */
  async function delivered() {
    const { saved_path } = await system.ended(await system.pull(FILE));
    const name = saved_path ?? "";
    return { name, path: join(system.folder, "downloads", name) };
  }

  /** The verdict on a path, and the exit code. */
  async function verdictOn(name: string, ...flags: string[]) {
    const { exitCode, stdout } = await fds(["verify", "--json", ...flags]);
    const { files } = JSON.parse(stdout);
    const file = files.find(({ path }: { path: string }) => path === name);
    return { exitCode, verdict: file?.verdict ?? null };
  }

  test("is content with what was downloaded", async () => {
    const { name } = await delivered();
    expect(await verdictOn(name)).toEqual({ exitCode: 0, verdict: "ok" });
    const lines = fields(await fds(["verify"]));
    expect(lines).toContainEqual(["ok", original.md5, original.md5, "", name]);
  });

  test("finds a file in which one byte was altered", async () => {
    const { name, path } = await delivered();
    const bytes = await readFile(path);
    bytes[SIZE / 2]! ^= 1;
    await writeFile(path, bytes);
    expect(await verdictOn(name)).toEqual({ exitCode: 1, verdict: "altered" });
    bytes[SIZE / 2]! ^= 1;
    await writeFile(path, bytes);
    expect(await verdictOn(name)).toEqual({ exitCode: 0, verdict: "ok" });
  });

  test("finds a file that nobody downloaded", async () => {
    const name = "site-1/20260101_000000_stray.txt";
    const path = join(system.folder, "downloads", name);
    await writeFile(path, "stray");
    expect(await verdictOn(name)).toEqual({ exitCode: 1, verdict: "unknown" });
    await rm(path);
  });

  test("compares with the sums of the originals", async () => {
    const { name } = await delivered();
    const sums = join(saved, "sums.txt");
    const about = `test-files/site-1/${FILE}`;
    await writeFile(sums, `${original.md5}  ${about}\n`);
    expect(await verdictOn(name, "--checksums", sums)).toEqual({ exitCode: 0, verdict: "ok" });
    await writeFile(sums, `${"0".repeat(32)}  ${about}\n`);
    expect(await verdictOn(name, "--checksums", sums)).toEqual({
      exitCode: 1,
      verdict: "not_original",
    });
  });

  test.skipIf(process.platform === "win32")(
    "compares where a backslash is a part of the name (needs POSIX)",
    async () => {
      const name = String.raw`we\ird.txt`;
      const source = await writeRandom(system.source(name), 1000);
      const { saved_path } = await system.ended(await system.pull(name));
      const sums = join(saved, "sums.txt");
      // as md5sum writes it
      const line = (md5: string) => `\\${md5}  test-files/site-1/we\\\\ird.txt\n`;
      await writeFile(sums, line(source.md5));
      const verdict = () => verdictOn(saved_path ?? "", "--checksums", sums);
      expect(await verdict()).toEqual({ exitCode: 0, verdict: "ok" });
      await writeFile(sums, line("0".repeat(32)));
      expect(await verdict()).toEqual({ exitCode: 1, verdict: "not_original" });
    },
  );

  test("fails where a line of the sums is not understood, and says which", async () => {
    const sums = join(saved, "sums.txt");
    await writeFile(sums, `# sums\n${original.md5}  test-files/site-1/${FILE}\nnonsense\n`);
    const { exitCode, stderr } = await fds(["verify", "--checksums", sums]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`line 3 of ${sums} is not understood, and not compared`);
    const { stdout } = await fds(["verify", "--checksums", sums, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ wrong: 0, strange_lines: [3] });
  });

  test.skipIf(process.platform === "win32")("reads nothing but files (needs POSIX)", async () => {
    const name = "site-1/20260101_000000_fifo";
    const path = join(system.folder, "downloads", name);
    spawnSync(["mkfifo", path]);
    expect(await verdictOn(name)).toEqual({ exitCode: 1, verdict: "unreadable" });
    await rm(path);
  });

  test("finds a file that is missing, and can be told that this is meant", async () => {
    const { name, path } = await delivered();
    const bytes = await readFile(path);
    await rm(path);
    expect(await verdictOn(name)).toEqual({ exitCode: 1, verdict: "missing" });
    expect(await verdictOn(name, "--ignore-missing")).toEqual({ exitCode: 0, verdict: null });
    await writeFile(path, bytes);
  });

  test("says what to pass where there is no such folder", async () => {
    const { exitCode, stderr } = await fds(["verify", "--downloads-dir", join(saved, "none")]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("--downloads-dir");
  });
});

describe("mistakes", () => {
  test.each([
    ["flags and no command", ["--json"], "COMMAND"],
    ["an unknown command", ["steal"], '"steal"'],
    ["what a terminal would obey", ["\x1b[2Jst\u202eeal\x9b2J"], '"steal"'],
    ["an unknown flag", ["health", "--fast"], '"--fast"'],
    ["a word too many", ["health", "now"], '"now"'],
    ["a missing word", ["status"], "ID"],
    ["no client", ["pull"], "CLIENT"],
    ["a client's name that is none", ["pull", "../x"], '"../x"'],
    ["-o with --all", ["pull", "--all", "-o", "x"], "--output"],
    ["what is no id", ["cancel", "the last one"], '"the last one"'],
    ["what is no status", ["downloads", "--status", "lost"], '"lost"'],
    ["what cannot be open", ["downloads", "--open", "--status", "queued"], '"queued"'],
    ["what is no number", ["downloads", "--limit", "0"], '"0"'],
    ["what is no address", ["health", "--server", "here"], '"here"'],
  ])("%s: exit 2 and one line that names it", async (_, args, named) => {
    const { exitCode, stdout, stderr } = await fds(args);
    expect(exitCode).toBe(2);
    if (!args.includes("--json")) expect(stdout).toBe("");
    expect(stderr).toMatch(/^error: .+\n$/);
    expect(stderr).toContain(named);
  });

  test.each<[string, string[], number, string]>([
    ["what the server refuses", ["pull", "nobody"], 1, "client_not_found"],
    ["what is not there", ["status", crypto.randomUUID()], 1, "download_not_found"],
    ["a wrong token", ["clients", "--token", "guessed"], 1, "unauthorized"],
    ["no server", ["health", "--server", "http://127.0.0.1:1"], 1, "unreachable"],
    ["a mistake", ["downloads", "--limit", "0"], 2, "usage_error"],
    ["an unknown command", ["steal"], 2, "usage_error"],
    ["what this machine has not", ["verify", "--downloads-dir", "/none"], 1, "failed"],
  ])("with --json are JSON: %s", async (_, args, code, expected) => {
    const { exitCode, stdout, stderr } = await fds([...args, "--json"]);
    expect(exitCode).toBe(code);
    expect(JSON.parse(stdout)).toEqual({ error: expect.any(String), code: expected });
    expect(stderr).toBe(`error: ${JSON.parse(stdout).error}\n`);
  });

  test("fds alone shows its commands, in 24 rows, and the way to the rest of the help", async () => {
    const { exitCode, stdout, stderr } = await fds([]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout.split("\n").length).toBeLessThanOrEqual(24);
    const { stdout: help } = await fds(["--help"]);
    const [, commands = ""] = /^Commands:\n(.+?)\n\n/ms.exec(help) ?? [];
    expect(commands.split("\n").length).toBeGreaterThanOrEqual(16);
    expect(stdout).toContain(commands);
    expect(stdout).toContain("bun run fds --help");
  });

  test("no server, and a wrong token: exit 1 and one line that says what to do", async () => {
    const nobody = await fds(["health", "--server", "http://127.0.0.1:1"]);
    expect(nobody).toMatchObject({ exitCode: 1, stdout: "" });
    expect(nobody.stderr).toMatch(/^error: no server answers at .+, start it with .+\n$/);
    const stranger = await fds(["clients", "--token", "guessed"]);
    expect(stranger).toMatchObject({ exitCode: 1, stdout: "" });
    expect(stranger.stderr).toMatch(/^error: set API_TOKEN .+\n$/);
    expect(stranger.stderr).not.toContain("guessed");
  });

  test("a token that leaves the machine without encryption is told, in JSON too", async () => {
    // the same server, by an address that is not of the loopback
    const env = { SERVER_URL: `http://0.0.0.0:${system.port}` };
    const warned = /^warning: the token goes to "0.0.0.0" without encryption.+\n$/;
    for (const args of [["health"], ["health", "--json"]]) {
      const { exitCode, stderr } = await fds(args, { env });
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringMatching(warned) });
    }
    const quiet = await fds(["health"], { env: { ...env, INSECURE: "true" } });
    expect(quiet).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("--help of all and of each command has examples, and needs no server", async () => {
    const { exitCode, stdout } = await fds(["--help"]);
    expect(exitCode).toBe(0);
    const names = [...stdout.matchAll(/^ {2}([a-z]+)(?: [A-Z[\]… ]+)? {2,}\S/gm)].map(
      ([, name]) => name!,
    );
    expect(names).toEqual(
      "health clients label ls pull jobs job downloads status files watch limit cancel retry verify enroll revoke token audit dashboard".split(
        " ",
      ),
    );
    for (const name of names) {
      const help = await fds([name, "--help"]);
      expect(help.stdout).toContain(`Examples:\n  bun run fds ${name}`);
      const widths = help.stdout.split("\n").map((line) => Bun.stringWidth(line));
      expect(Math.max(...widths)).toBeLessThan(80);
    }
  });
});

const itPty = test.skipIf(process.platform === "win32");

describe("at a terminal (needs POSIX)", () => {
  itPty("Ctrl-C asks; No goes on, and Yes cancels", async () => {
    await using screen = new Screen(system, ["fds", "pull", "away"]);
    await screen.shows(/queued\s*\n/);
    await screen.pressCtrlC(/Cancel the download\?.+\[y\/N\]/);
    screen.type("n\n");
    await screen.shows(/queued\s*\n/);
    await screen.pressCtrlC(/Cancel the download\?.+\[y\/N\]/);
    screen.type("y\n");
    await screen.shows(/error: away: cancelled/);
    expect(await screen.ended()).toBe(1);
  });

  itPty("a second Ctrl-C leaves the download running", async () => {
    await using screen = new Screen(system, ["fds", "pull", "away"]);
    await screen.shows(/queued\s*\n/);
    await screen.pressCtrlC(/\[y\/N\]/);
    const said = await screen.pressCtrlC(/at the server: [\da-f-]{36}/);
    const id = said.slice(-36);
    expect(await screen.ended()).toBe(130);
    expect((await system.api.download(id)).status).toBe("queued");
    await system.api.cancel(id);
  });

  itPty("no file is written to it by -o -", async () => {
    await using screen = new Screen(system, ["fds", "pull", "site-1", "-o", "-"]);
    await screen.shows(/error: --output is "-", expected a pipe or a file there, not a terminal/);
    expect(await screen.ended()).toBe(2);
  });

  itPty("a list that goes on says how", async () => {
    await using screen = new Screen(system, ["fds", "downloads", "--limit", "1"]);
    await screen.shows(/\nThere are more: --cursor [\da-f-]{36}\n/);
  });

  itPty("fds pull --all shows one bar for all, and ends with one line", async () => {
    await using screen = new Screen(system, ["fds", "pull", "--all"]);
    await screen.shows(/1 of 2 clients is not connected and left out: away/);
    await screen.shows(/1 of 1 +━+ +100%.* completed/);
    await screen.shows(/✓ site-1\/\S+ +5.0 MiB\n/);
    const folder = join(system.folder, "downloads");
    const line = screen.shows(
      /1 of 1 files verified, 5.0 MiB in .+1 not connected and left out\n$/,
    );
    expect((await line).replaceAll("\n", "")).toContain(`saved in ${folder}`);
    expect(await screen.ended()).toBe(0);
  });

  itPty("fds verify says where the files are", async () => {
    await system.ended(await system.pull(FILE));
    await using screen = new Screen(system, ["fds", "verify"], { columns: 200 });
    const shown = await screen.shows(/All of this is in (\/.+)\n\d+ files? verified\n/);
    const [, folder = ""] = /is in (.+)\n/.exec(shown) ?? [];
    const [, path = ""] = /✓ (site-1\/.+)\n/.exec(shown) ?? [];
    expect(await versionOf(join(folder, path))).toEqual(original);
  });

  itPty("fds watch shows what moves, and who is there, before what waits", async () => {
    const waits: string[] = [];
    for (let n = 0; n < 3; n++) waits.push(await waiting());
    const moving = await system.api.startDownload({
      client_id: "site-1",
      file_path: FILE,
      rate_limit: 1024,
    });
    waits.push(await waiting());
    await using screen = new Screen(system, ["fds", "watch"]);
    await screen.shows(/\n(?:download )? *client +status.+\n(?:\S+ +)?site-1 +downloading/);
    // They come one by one, above the downloads.
    const clients = () => screen.visible.slice(0, screen.visible.indexOf("status"));
    await waitFor(() => /^site-1 [^]*^away /m.test(clients()), "the clients, who is there first");
    for (const id of [moving.download_id, ...waits]) await system.api.cancel(id);
  });

  itPty("a result has a path that can be opened", async () => {
    await using screen = new Screen(system, ["fds", "pull", "site-1", "-o", "here.bin"]);
    expect(await screen.ended()).toBe(0);
    const [, atServer = ""] = /^ {2}(\/.+\.txt)$/m.exec(screen.text) ?? [];
    const [, here = ""] = /^✓ (\/.+here\.bin) {2}verified$/m.exec(screen.text) ?? [];
    expect(await versionOf(atServer)).toEqual(original);
    expect(await versionOf(here)).toEqual(original);
    await rm(join(system.folder, "here.bin"));
  });

  itPty("no line is wider than a narrow one, and NO_COLOR is obeyed", async () => {
    const env = { NO_COLOR: "1" };
    for (const command of [["clients"], ["downloads", "--limit", "1000"], ["health"]]) {
      await using screen = new Screen(system, ["fds", ...command], { columns: 40, env });
      expect(await screen.ended()).toBe(0);
      const widths = screen.text.split("\n").map((line) => Bun.stringWidth(line));
      expect(Math.max(...widths)).toBeLessThanOrEqual(40);
      expect(screen.raw).not.toContain("\x1b");
    }
  });

  itPty("fds downloads and fds watch say why one failed, and of which file", async () => {
    const name = "no/such.txt";
    await system.ended(await system.pull(name));
    for (const command of ["downloads", "watch"]) {
      await using screen = new Screen(system, ["fds", command]);
      await screen.shows(new RegExp(`failed .+ ${name}\\s+↳ file_not_found: .+"${name}"`));
    }
  });

  itPty("fds watch draws a table that is live, and gives the screen back", async () => {
    await using screen = new Screen(system, ["fds", "watch"]);
    await screen.shows(/1 of 2 clients connected/);
    const id = await waiting();
    await screen.shows(new RegExp(`${id.slice(0, 18)} +away +queued`));
    await system.api.cancel(id);
    await screen.shows(new RegExp(`${id.slice(0, 18)} +away +cancelled`));
    screen.type("\x03");
    expect(await screen.ended()).toBe(0);
    expect(screen.raw).toEndWith("\x1b[?1049l");
  });
});

test("a program that reads only the first line ends it quietly", async () => {
  const child = startProgram(system, ["fds", "watch"]);
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  await system.api.cancel(await waiting());
  expect(await child.stderr.text()).toBe("");
  expect(await child.exited).not.toBe(0);
});
