import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { waitFor } from "./wait.ts";
import { spawn } from "./spawn.ts";

const PROJECT = join(import.meta.dir, "../..");

/** Files and folders of the project that the programs need. */
const SOURCES = [
  "bun.lock",
  "bunfig.toml",
  "client.ts",
  "lib",
  "package.json",
  "server.ts",
  "setup.ts",
];

/** A copy of the project as after a fresh checkout, in which tests run shell commands. */
export class FreshCopy implements AsyncDisposable {
  readonly #endings: (() => Promise<void>)[] = [];
  readonly #env: Record<string, string>;

  private constructor(readonly folder: string) {
    const path = `${dirname(process.execPath)}:${process.env["PATH"]}`;
    this.#env = { PATH: path, HOME: folder };
  }

  static async create(): Promise<FreshCopy> {
    const folder = await mkdtemp(join(tmpdir(), "fds-copy-"));
    for (const name of SOURCES) {
      await cp(join(PROJECT, name), join(folder, name), { recursive: true });
    }
    // The installed packages are shared by a link, because other tests cover their installation.
    await symlink(join(PROJECT, "node_modules"), join(folder, "node_modules"));
    return new FreshCopy(folder);
  }

  /** Sets environment variables for all later commands. */
  set(env: Record<string, string>): void {
    Object.assign(this.#env, env);
  }

  /**
   * Runs shell commands and waits until they exit.
   * @returns their output, standard error included
   * @throws Error with the output if a command fails
   */
  async run(commands: string): Promise<string> {
    const child = this.#spawn(`{ ${commands}\n} 2>&1`);
    const output = await new Response(child.stdout).text();
    if ((await child.exited) !== 0) throw new Error(`${commands}\n${output}`);
    return output;
  }

  /**
   * Starts a command in the background, and waits for a line of output. Disposal ends the command.
   * @param ready matches the line to wait for
   * @returns the line, and a function that ends the command
   */
  async start(command: string, ready: RegExp): Promise<{ line: string; end: () => Promise<void> }> {
    const child = this.#spawn(`exec ${command}`);
    const end = async () => {
      child.kill();
      await child.exited;
    };
    this.#endings.push(end);
    let output = "";
    const reading = child.stdout.pipeTo(
      new WritableStream({ write: (bytes) => void (output += Buffer.from(bytes).toString()) }),
    );
    await Promise.race([waitFor(() => ready.test(output), `${command} to say ${ready}`), reading]);
    const line = output.split("\n").find((each) => ready.test(each));
    if (line === undefined) throw new Error(`${command} ended:\n${output}`);
    return { line, end };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#endings.toReversed()) await end();
    await rm(this.folder, { recursive: true, force: true });
  }

  #spawn(script: string) {
    return spawn(["sh", "-ec", script], {
      cwd: this.folder,
      env: this.#env,
      stdio: ["ignore", "pipe", "inherit"],
    });
  }
}
