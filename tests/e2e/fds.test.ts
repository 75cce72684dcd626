import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type DownloadRecord } from "../../lib/api/schemas.ts";
import {
  fds,
  fields,
  FILE,
  json,
  oneSiteAndOneAway,
  original,
  SIZE,
  system,
  useCommandLine,
  waiting,
} from "../support/command-line.ts";
import { startProgram } from "../support/operator.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* `fds`: listing, error messages, and changes of downloads and settings. */

useCommandLine(oneSiteAndOneAway);

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
    const words = stdout.split(/[\s,]+/);
    for (const line of commands.split("\n")) expect(words).toContain(/^ {2}(\w+)/.exec(line)![1]!);
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
    // Reaches the same server, by an address that is not a loopback address.
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
      "pull limit cancel retry jobs job label schedules schedule deliveries health clients ls downloads status files watch verify hold release rm webhooks webhook enroll revoke token audit dashboard".split(
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

test("a program that reads only the first line ends it quietly", async () => {
  const child = startProgram(system, ["fds", "watch"]);
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  await system.api.cancel(await waiting());
  expect(await child.stderr.text()).toBe("");
  expect(await child.exited).not.toBe(0);
});
