import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  filesOf,
  FLAGS,
  folder,
  install,
  machine,
  NAMES,
  run,
  useMachine,
} from "../support/installed.ts";
import { Program } from "../support/programs.ts";
import { spawnSync } from "../support/spawn.ts";
import { ENROLL_TOKEN, System } from "../support/system.ts";
import { TEST_LIMIT, waitFor } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useMachine();

/*
 * `fds client install` and related commands, below a folder that stands for the root of a machine. Other
 * operating systems are in tests/program/service.test.ts.
 */

const isLinux = process.platform === "linux";
const TOKEN = "a-token-that-is-a-secret";

const read = (name: string) => readFile(join(machine, name), "utf8");

describe.if(isLinux)("install", () => {
  test("says what it writes, and writes that with the right permissions", async () => {
    const { exitCode, stdout, stderr } = await install([...FLAGS, "--enroll-token", "-"], TOKEN);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(await filesOf()).toEqual({
      [NAMES.program]: "755",
      [NAMES.settings]: "600",
      [NAMES.unit]: "644",
      [NAMES.user]: "644",
      [NAMES.token]: "600",
    });
    for (const name of Object.values(NAMES)) expect(stdout).toContain(join(machine, name));
    expect(stdout + stderr).not.toContain(TOKEN);
    expect(await read(NAMES.token)).toBe(`${TOKEN}\n`);
    const settings = (await read(NAMES.settings)).split("\n").filter((line) => !/^#|^$/.test(line));
    expect(settings).toEqual([
      "CLIENT_ID=till-1",
      "SERVER_URL=https://files.example.com",
      `CLIENT_ROOTS=${join(folder, "exports")}`,
      "CLIENT_STATE_DIR=/var/lib/fds-client",
    ]);
    expect(await read(NAMES.unit)).toContain(
      "\nExecStart=/usr/local/bin/fds client --config /etc/fds/client.conf\n",
    );
    const copy = join(machine, NAMES.program);
    expect(spawnSync([copy, "--version"]).stdout.toString()).toStartWith("fds ");
  });

  test("again changes nothing, or what is new, and keeps what a person wrote", async () => {
    await install(FLAGS);
    const again = await install([]);
    expect(again).toMatchObject({ exitCode: 0, stderr: "" });
    expect(again.stdout).toContain("Nothing to do");
    const edited = `${await read(NAMES.settings)}# at night\nRATE_LIMIT=1MiB\n`;
    await writeFile(join(machine, NAMES.settings), edited);
    const changed = await install(["--deny", "*.bak", "--deny", "tmp", "--no-browse"]);
    expect(changed.stdout).toContain(`changed    ${join(machine, NAMES.settings)}`);
    expect(changed.stdout).toContain(`unchanged  ${join(machine, NAMES.program)}`);
    expect(await read(NAMES.settings)).toBe(`${edited}CLIENT_DENY=*.bak:tmp\nCLIENT_BROWSE=off\n`);
  });

  test("again after somebody edited the settings makes the service read them, once", async () => {
    await install(FLAGS);
    const path = join(machine, NAMES.settings);
    await writeFile(path, `${await read(NAMES.settings)}RATE_LIMIT=1MiB\n`);
    // Edits are recognized by a later modification time than that of the installation.
    const later = new Date(Date.now() + 1_000);
    await utimes(path, later, later);
    expect((await install(["--dry-run"])).stdout).toContain(`edited     ${path}`);
    await utimes(path, new Date(), new Date());
    expect((await install([])).stdout).toContain(`edited     ${path}`);
    expect((await install([])).stdout).toContain("Nothing to do");
    expect(await read(NAMES.settings)).toEndWith("\nRATE_LIMIT=1MiB\n");
  });

  test("says how the service gets to files that are not everybody's", async () => {
    const shut = join(folder, "shut");
    await mkdir(join(shut, "exports"), { recursive: true, mode: 0o700 });
    const { stdout } = await install([...FLAGS, "--root", join(shut, "exports")]);
    expect(stdout).toContain(
      `setfacl -m u:fds-client:x "${shut}" && setfacl -R -m u:fds-client:rX "${shut}/exports"\n`,
    );
  });

  test("takes settings from a file, and keeps no token in them", async () => {
    const file = join(folder, "site.conf");
    await writeFile(join(folder, "ca.pem"), "");
    const lines = ["CLIENT_ID=till-2", "RATE_LIMIT=1MiB", `ENROLL_TOKEN=${TOKEN}`, "TLS_CA=ca.pem"];
    await writeFile(file, lines.join("\n"));
    const server = ["--server", "https://files.example.com", "--root", "exports"];
    expect(await install(["--config", file, ...server])).toMatchObject({ exitCode: 0 });
    expect(await read(NAMES.settings)).toContain("CLIENT_ID=till-2\nRATE_LIMIT=1MiB\n");
    // Relative paths become absolute, because the service runs in another folder than the installer.
    expect(await read(NAMES.settings)).toContain(`\nTLS_CA=${join(folder, "ca.pem")}\n`);
    expect(await read(NAMES.settings)).not.toContain("ENROLL_TOKEN");
    expect(await read(NAMES.token)).toBe(`${TOKEN}\n`);
  });

  test("with --dry-run says the same, and writes nothing", async () => {
    const { exitCode, stdout } = await install([...FLAGS, "--dry-run"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`new        ${join(machine, NAMES.settings)}`);
    expect(stdout).toContain("Nothing was changed");
    expect(await readdir(folder)).toEqual(["exports"]);
  });

  test("of this machine says which commands it runs, too", async () => {
    const { exitCode, stdout } = await run(["client", "install", ...FLAGS, "--dry-run"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("runs       systemctl enable --quiet fds-client.service\n");
  });

  test.each<[flags: string[], message: RegExp, input: string]>([
    [["--id", "a b"], /^error: --id is "a b", expected 1 to 64 letters/, ""],
    [
      ["--server", "files.example.com"],
      /^error: --server is "files\.example\.com", expected an addr/,
      "",
    ],
    [["--server", "http://files.example.com"], /^error: use https:\/\/ for the server/, ""],
    [
      ["--root", "nowhere"],
      /^error: the root ".+\/nowhere" is not there, make the folder first\n$/,
      "",
    ],
    [["--root", "site.conf"], /^error: the root ".+\/site\.conf" is no folder\n$/, ""],
    [["--root="], /^error: --root is "", expected a text that is not empty/, ""],
    [["--rate-limit", "fast"], /^error: --rate-limit is "fast"/, ""],
    [
      ["--enroll-token", TOKEN],
      /^error: --enroll-token has a value that others on this machine can see/,
      "",
    ],
    [["--enroll-token", "-"], /^error: there is no token on standard input/, ""],
    [["--enroll-token", "-"], /^error: the token on standard input has a wrong value/, "two words"],
    [["--config", "site.conf"], /^error: line 2 of "site\.conf" sets "CLIENT_NAME"/, ""],
    [["--config", "none.conf"], /^error: --config "none\.conf" cannot be read \(ENOENT\)/, ""],
    [["--color"], /^error: unknown flag "--color"/, ""],
    [["extra"], /^error: unexpected word "extra"/, ""],
  ])("refuses %p in one line, and writes nothing", async (flags, message, input) => {
    await writeFile(join(folder, "site.conf"), "# a site\nCLIENT_NAME=till\n");
    const { exitCode, stdout, stderr } = await install([...FLAGS, ...flags], input);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd()).not.toContain("\n");
    expect(stderr).not.toContain(TOKEN);
    expect(await filesOf()).toEqual({});
  });

  test.each([
    ["--id", "CLIENT_ID is missing, pass --id ID"],
    ["--server", "SERVER_URL is missing, pass --server URL"],
    ["--root", "CLIENT_ROOTS is missing, pass --root FOLDER"],
  ])("cannot do without %s", async (flag, message) => {
    const { exitCode, stderr } = await install(FLAGS.toSpliced(FLAGS.indexOf(flag), 2));
    expect([exitCode, stderr]).toEqual([2, `error: ${message}\n`]);
  });

  test("gives a server fresh tokens, once", async () => {
    const flags = ["server", "install", "--destdir", machine];
    expect(await run([...flags, "--port", "443", "--host", "0.0.0.0"])).toMatchObject({
      exitCode: 0,
      stderr: "",
    });
    const settings = await read("etc/fds/server.conf");
    expect(settings).toMatch(/^API_TOKEN=[\da-f]{64}$/m);
    expect(settings).toMatch(/^ENROLL_TOKEN=[\da-f]{64}$/m);
    expect(settings).toContain("DOWNLOADS_DIR=/var/lib/fds-server/downloads\n");
    const unit = await read("etc/systemd/system/fds-server.service");
    expect(unit).toContain("\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n");
    await run([...flags, "--port", "8443", "--downloads-dir", join(folder, "50%")]);
    expect(await read("etc/fds/server.conf")).toMatch(
      new RegExp(`^API_TOKEN=${/^API_TOKEN=(.+)$/m.exec(settings)![1]}$`, "m"),
    );
    const changed = await read("etc/systemd/system/fds-server.service");
    expect(changed).toContain("\nAmbientCapabilities=\n");
    expect(changed).toContain(`\nReadWritePaths="${join(folder, "50%%")}"\n`);
  });
});

test.if(isLinux)("what is installed registers, and forgets what it enrolled with", async () => {
  await using system = await System.start();
  const state = join(folder, "state");
  const flags = ["--id", "till-1", "--server", system.url, "--root", "exports"];
  await install([...flags, "--state-dir", state, "--enroll-token", "-"], ENROLL_TOKEN);
  // The installed settings name absolute paths, so the token is copied from below the stand-in root to its
  // real path.
  await mkdir(state);
  const token = join(machine, state, "enroll-token");
  await writeFile(join(state, "enroll-token"), await readFile(token));
  await using client = await Program.start({
    name: "client",
    folder,
    executable: join(machine, NAMES.program),
    argv: ["client", "--config", join(machine, NAMES.settings)],
    env: { CLIENT_ID: "from-the-environment" },
    ready: /registered as till-1$/,
  });
  const left = async () => !(await readdir(state)).includes("enroll-token");
  await waitFor(left, "the token to be removed");
  const told = async () => JSON.parse(await readFile(join(state, "connection.json"), "utf8"));
  await waitFor(async () => (await told()).state === "connected", "the site to be told");
  expect(await told()).toMatchObject({ server: system.url, pid: client.pid });
  expect(client.log().filter(({ level }) => level !== "info")).toEqual([]);
});
