import { afterAll, afterEach, beforeAll, beforeEach } from "bun:test";
import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BuiltProgram } from "./built-program.ts";

/** Paths of the files that an installation writes, relative to the root folder. */
export const NAMES = {
  program: "usr/local/bin/fds",
  settings: "etc/fds/client.conf",
  unit: "etc/systemd/system/fds-client.service",
  user: "etc/sysusers.d/fds-client.conf",
  token: "var/lib/fds-client/enroll-token",
};

let built: BuiltProgram;
/** The working directory of the commands. */
export let folder: string;
/** The root folder that `install --destdir` writes to, in place of `/`. */
export let machine: string;

/** The flags that `client install` requires. */
export const FLAGS = [
  "--id",
  "till-1",
  "--server",
  "https://files.example.com",
  "--root",
  "exports",
];

/** Runs the built executable, with environment variables that an installation must ignore. */
export function run(args: string[], input?: string) {
  const env = { CLIENT_ID: "from-the-environment", ENROLL_TOKEN: "of-somebody-else" };
  return built.run(args, { cwd: folder, env, ...(input !== undefined && { input }) });
}

/** Runs `client install` into {@link machine}. */
export const install = (flags: string[], input?: string) =>
  run(["client", "install", "--destdir", machine, ...flags], input);

/** Returns each file below {@link machine} with its permissions in octal, by its path. */
export async function filesOf(): Promise<Record<string, string>> {
  const entries = await readdir(machine, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  const modes = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [path.slice(machine.length + 1), ((await stat(path)).mode & 0o777).toString(8)];
  });
  return Object.fromEntries(await Promise.all(modes));
}

/** Builds the executable before a file's tests, and gives each test an empty root folder. */
export function useMachine(): void {
  beforeAll(async () => void (built = await BuiltProgram.build()));

  afterAll(() => built[Symbol.asyncDispose]());

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "fds-install-"));
    machine = join(folder, "machine");
    await mkdir(join(folder, "exports"));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));
}
