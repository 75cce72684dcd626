import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programFile, TARGET_NAMES } from "../../lib/program/targets.ts";
import packageJson from "../../package.json";
import { BuiltProgram, HOST_TARGET } from "../support/built-program.ts";
import { FreshCopy } from "../support/fresh-copy.ts";
import { Program } from "../support/programs.ts";
import { spawn } from "../support/spawn.ts";
import { API_TOKEN, ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* The program that `bun run build` makes for this machine. */

/** Files of the folder in which the program is started. If the program reads one of them, it fails. */
const HOSTILE = {
  ".env":
    "LOG_LEVEL=none\nCLIENT_ID=evil\nSERVER_URL=http://evil.invalid\nSERVER_PORT=1\nAPI_TOKEN=evil\n",
  ".env.production": "LOG_LEVEL=none\nCLIENT_ID=evil\nSERVER_PORT=1\nAPI_TOKEN=evil\n",
  "bunfig.toml": 'preload = ["./evil.ts"]\n',
  "evil.ts": "process.exit(66);\n",
  "package.json": "{ this is no JSON",
  "tsconfig.json": "{ this is no JSON",
};

/** The number of programs that run at the same time. */
const AT_ONCE = 2;

let built: BuiltProgram;
let folder: string;

beforeAll(async () => {
  built = await BuiltProgram.build();
  folder = await mkdtemp(join(tmpdir(), "fds-hostile-"));
  for (const [name, text] of Object.entries(HOSTILE)) await writeFile(join(folder, name), text);
});

afterAll(async () => {
  await built[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

describe("the program", () => {
  test.each([[["--version"]], [["client", "--version"]], [["server", "--version"]]])(
    "says its version, its commit and the machine that it is for: %p",
    async (args) => {
      const { exitCode, stdout, stderr } = await built.run(args);
      expect(stdout).toMatch(
        new RegExp(
          `^fds ${packageJson.version} \\(commit (?:[\\da-f]{40}(?:-changed)?|unknown), ${HOST_TARGET}\\)\n$`,
        ),
      );
      expect([exitCode, stderr]).toEqual([0, ""]);
    },
  );

  test.each([
    [[], "fds COMMAND"],
    [["--help"], "fds COMMAND"],
    [["pull", "--help"], "fds pull CLIENT"],
    [["client", "--help"], "fds client --id ID"],
    [["server", "--help"], "fds server "],
    [["client", "doctor", "--help"], "fds client doctor"],
    [["doctor", "--help"], "fds server doctor"],
  ])("has help of its own name: %p", async (args, usage) => {
    const { exitCode, stdout } = await built.run(args);
    expect(stdout).toStartWith(`Usage: ${usage}`);
    const [program = ""] = args;
    if (["client", "server"].includes(program)) expect(stdout).toContain(`fds ${program} install`);
    expect(stdout).not.toContain("bun run");
    expect(exitCode).toBe(0);
  });

  test("tells a wrong flag of any command in one line", async () => {
    const [, list = ""] = /^Commands:\n((?: {2}.+\n)+)/m.exec(
      (await built.run(["--help"])).stdout,
    )!;
    const own = list.match(/^ {2}[a-z]+/gm)!.map((name) => [name.trim()]);
    expect(own.length).toBeGreaterThan(20);
    const ofServices = ["client", "server"].flatMap((program) =>
      ["", "--version", "install", "uninstall", "status", "doctor"].map((name) => [program, name]),
    );
    const left = [...own, ...ofServices, [], ["--version"], ["doctor"]].values();
    const tryCommands = async () => {
      for (const words of left) {
        const argv = [...words.filter(Boolean), "--bogus"];
        const { exitCode, stdout, stderr } = await built.run(argv);
        expect({ argv, exitCode, stdout }).toEqual({ argv, exitCode: 2, stdout: "" });
        expect(stderr).toMatch(/^error: unknown flag "--bogus", expected one of --help.*\n$/);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, tryCommands));
  });

  test.each([
    [["clint"], 'error: unknown command "clint", expected one of pull, '],
    [["client", "instal"], 'error: unknown command "instal", expected fds client with flags, or'],
    [["server", "doctro"], 'error: unknown command "doctro", expected fds server with flags, or'],
    [["client", "doctor", "--server"], 'error: flag "--server" has no value, expected --server'],
    [["doctor", "all"], 'error: unexpected word "all", expected flags such as --help'],
    [["--version", "all"], 'error: unexpected word "all", expected flags such as --help'],
  ])("tells a wrong word in one line: %p", async (args, start) => {
    const { exitCode, stdout, stderr } = await built.run(args);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toStartWith(start);
    expect(stderr.trimEnd()).not.toContain("\n");
  });

  test("serves, registers and delivers from a folder that says otherwise", async () => {
    await mkdir(join(folder, "files/many"), { recursive: true });
    for (const name of ["one", "two"]) await writeFile(join(folder, "files/many", name), name);
    await using server = await Program.start({
      name: "server",
      folder,
      executable: built.path,
      argv: ["server", "--port", "0"],
      env: { API_TOKEN, ENROLL_TOKEN },
      ready: /listening on/,
    });
    const { message } = await server.waitForLine(/listening on/);
    const url = /http:\S+/.exec(message)![0];
    const flags = ["--id", "site-1", "--server", url, "--root", "files"];
    await using client = await Program.start({
      name: "client",
      folder,
      executable: built.path,
      argv: ["client", ...flags],
      env: { ENROLL_TOKEN },
      ready: /registered as site-1$/,
    });
    const env = { SERVER_URL: url, API_TOKEN };
    const pulled = await built.run(["pull", "site-1", "many/", "--json"], { cwd: folder, env });
    expect(JSON.parse(pulled.stdout)).toMatchObject({ status: "completed", files_received: 2 });
    const page = await (await fetch(url)).text();
    const [, script = ""] = /<script[^>]* src="([^"]+)"/.exec(page)!;
    // A built server puts its target, such as linux-x64, into the page's script, so that the page can show
    // the command that installs the built program.
    const code = await (await fetch(new URL(script, url))).text();
    expect(code).toContain(`"${HOST_TARGET}"`);
    expect(client.log().filter(({ level }) => level === "error")).toEqual([]);
    expect(server.log().filter(({ level }) => level === "error")).toEqual([]);
  });

  test("registers at a server that is started from the sources", async () => {
    await using system = await System.start();
    await using _ = await Program.start({
      name: "client",
      folder,
      executable: built.path,
      argv: ["client", "--id", "site-2", "--server", system.url, "--root", "."],
      env: { ENROLL_TOKEN },
      ready: /registered as site-2$/,
    });
    expect(await system.api.clients()).toMatchObject([{ client_id: "site-2", connected: true }]);
  });
});

describe("bun run build", () => {
  test("makes the same bytes in any folder", async () => {
    await using one = await FreshCopy.create();
    await using other = await FreshCopy.create();
    const builds = await Promise.all([one, other].map((copy) => BuiltProgram.build(copy.folder)));
    const sums = await Promise.all(
      builds.map((build) => readFile(join(build.folder, "SHA256SUMS"), "utf8")),
    );
    for (const build of builds) await build[Symbol.asyncDispose]();
    expect(sums[1]).toBe(sums[0]!);
    expect(sums[0]).toMatch(
      new RegExp(`^[\\da-f]{64}  ${programFile(HOST_TARGET).replaceAll(".", "\\.")}\n$`),
    );
  });

  test("leaves the program and its sum, and nothing else", async () => {
    const names = await readdir(built.folder);
    expect(names.toSorted()).toEqual(["SHA256SUMS", programFile(HOST_TARGET)]);
    const sum = new Bun.CryptoHasher("sha256").update(await Bun.file(built.path).arrayBuffer());
    const sums = await readFile(join(built.folder, "SHA256SUMS"), "utf8");
    expect(sums).toStartWith(`${sum.digest("hex")}  `);
  });

  test("refuses a machine that nothing is built for, and names all others", async () => {
    const out = ["--out", built.folder];
    const child = spawn([process.execPath, "run", "build", "--target", "amiga", ...out], {
      cwd: join(import.meta.dir, "../.."),
      stderr: "pipe",
    });
    expect(await child.stderr.text()).toBe(
      `error: --target is "amiga", expected one of ${TARGET_NAMES.join(", ")}\n`,
    );
    expect(await child.exited).toBe(2);
  });
});
