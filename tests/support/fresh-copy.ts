import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { waitFor } from "./wait.ts";
import { spawn } from "./spawn.ts";

const PROJECT = join(import.meta.dir, "../..");

/** What the programs are made of. */
const SOURCES = [
  "bun.lock",
  "bunfig.toml",
  "client.ts",
  "lib",
  "package.json",
  "server.ts",
  "setup.ts",
];

/** The project as somebody has it who just got it, and what they type at a shell in it. */
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
    // What is installed is the same, and there are tests that install it.
    await symlink(join(PROJECT, "node_modules"), join(folder, "node_modules"));
    return new FreshCopy(folder);
  }

  /** Settings that all commands see from now on. */
  set(env: Record<string, string>): void {
    Object.assign(this.#env, env);
  }

  /**
   * Runs commands to their end.
   * @returns what they wrote
   * @throws Error with that when one of them fails
   */
  async run(commands: string): Promise<string> {
    const child = this.#spawn(`{ ${commands}\n} 2>&1`);
    const output = await new Response(child.stdout).text();
    if ((await child.exited) !== 0) throw new Error(`${commands}\n${output}`);
    return output;
  }

  /**
   * Starts a command that runs until it is ended, or all is.
   * @param ready in the line that is waited for, and given back
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
