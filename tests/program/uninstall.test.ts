import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, rm, writeFile } from "node:fs/promises";
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
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);
useMachine();

/* The files that `uninstall` removes and keeps, and the report of `status`. */

const isLinux = process.platform === "linux";

describe.if(isLinux)("uninstall", () => {
  const uninstall = (...flags: string[]) =>
    run(["client", "uninstall", "--destdir", machine, ...flags]);

  /** Installs a client, and makes the files that it has after it ran. */
  async function installed(): Promise<void> {
    await install(FLAGS);
    for (const name of ["key", "connection.json", "requests.log", "requests.log.1", "notes.txt"]) {
      await writeFile(join(machine, "var/lib/fds-client", name), "");
    }
  }

  test("leaves the key, and what is not ours", async () => {
    await installed();
    const dry = await uninstall("--dry-run");
    expect(dry.stdout).toContain(`removed    ${join(machine, NAMES.settings)}`);
    expect(Object.keys(await filesOf())).toHaveLength(9);
    const { exitCode, stdout } = await uninstall();
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Left: key, notes.txt in /var/lib/fds-client");
    expect(Object.keys(await filesOf()).toSorted()).toEqual([
      "var/lib/fds-client/key",
      "var/lib/fds-client/notes.txt",
    ]);
    expect((await uninstall()).stdout).toStartWith("There is no client installed");
  });

  test("says what is left in a folder that somebody named", async () => {
    const [state, downloads] = [join(folder, "own-state"), join(folder, "own-downloads")];
    await install([...FLAGS, "--state-dir", state]);
    await writeFile(join(machine, state, "key"), "");
    expect((await uninstall()).stdout).toContain(`Left: key in ${state} (--purge removes it)\n`);
    const server = ["--destdir", machine, "--downloads-dir", downloads];
    await run(["server", "install", ...server]);
    await writeFile(join(machine, downloads, "a.txt"), "");
    const purged = await run(["server", "uninstall", "--destdir", machine, "--purge"]);
    expect(purged.stdout).toContain(`Left: a.txt in ${downloads}\n`);
    expect(await readdir(join(machine, downloads))).toEqual(["a.txt"]);
  });

  test("with --purge removes the key too", async () => {
    await installed();
    await rm(join(machine, "var/lib/fds-client/notes.txt"));
    await uninstall("--purge");
    expect(await filesOf()).toEqual({});
    expect(await readdir(join(machine, "var/lib"))).toEqual([]);
  });

  test("leaves the program to the server, if there is one", async () => {
    await installed();
    await run(["server", "install", "--destdir", machine]);
    await uninstall("--purge");
    expect(await filesOf()).toHaveProperty([NAMES.program]);
    await run(["server", "uninstall", "--destdir", machine]);
    expect(await filesOf()).not.toHaveProperty([NAMES.program]);
  });
});

describe("status", () => {
  test("of what is not installed says how to", async () => {
    const { exitCode, stdout, stderr } = await run(["client", "status", "--json"]);
    // The test ends here if the machine that runs it has a client of its own.
    if (!stderr && JSON.parse(stdout).service !== "not_installed") return;
    expect(exitCode).toBe(1);
    const next = ["install it: fds client install --help"];
    if (!stderr) expect(JSON.parse(stdout)).toMatchObject({ well: false, next });
  });
});
