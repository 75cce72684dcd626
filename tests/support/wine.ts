import { existsSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { BuiltProgram } from "./built-program.ts";
import { Program, type ProgramOptions } from "./programs.ts";
import { spawn } from "./spawn.ts";
import { within } from "./wait.ts";

/**
 * Root folder of the system in which Wine is installed: `/`, or the folder that holds another system, such
 * as Debian.
 */
const ROOT = process.env["TEST_WINE_ROOT"] ?? "/";

/** Suffix for the names of tests that are skipped without Wine; `""` if Wine is installed. */
export const lacksWine = hasWine() ? "" : " (needs Wine 10: tests/README.md has the way to get it)";

function hasWine(): boolean {
  if (process.platform !== "linux" || process.arch !== "x64") return false;
  return existsSync(join(ROOT, "usr/lib/wine")) && (ROOT === "/" || process.getuid?.() === 0);
}

/** Numbers of Windows's console control events. */
const CONSOLE_EVENTS = { break: 1, close: 2, shutdown: 6 } as const;

export type ConsoleEvent = keyof typeof CONSOLE_EVENTS;

/** A Windows environment under Wine with an empty drive `C:`, and the executable built for Windows. */
export class Wine implements AsyncDisposable {
  private constructor(
    /** The WINEPREFIX, as seen inside {@link ROOT}. */
    private readonly prefix: string,
    private readonly built: BuiltProgram,
  ) {}

  static async start(): Promise<Wine> {
    const built = await BuiltProgram.build(undefined, "windows-x64");
    const folder = await mkdtemp(join(ROOT, "tmp/fds-wine-"));
    const wine = new Wine(join("/tmp", folder.slice(join(ROOT, "tmp").length)), built);
    await wine.run("wineboot", "--init");
    await copyFile(built.path, wine.path("C:\\fds.exe"));
    return wine;
  }

  /** Returns the path on this system for a path on the Windows drive. */
  path(windowsPath: string): string {
    const rest = windowsPath.replace(/^C:\\/, "").split("\\");
    return join(ROOT, this.prefix, "drive_c", ...rest);
  }

  /** Runs a command and waits until it exits with 0. @returns its standard output */
  async run(...command: string[]): Promise<string> {
    return this.#run(command, {});
  }

  /** Sends a console event to a client under Wine. @param stateDir the client's state directory */
  async tell(stateDir: string, event: ConsoleEvent): Promise<void> {
    const { pid } = (await Bun.file(this.path(`${stateDir}\\connection.json`)).json()) as {
      pid: number;
    };
    await copyFile(join(import.meta.dir, "console-event.ts"), this.path("C:\\console-event.ts"));
    const words = ["C:\\console-event.ts", String(pid), String(CONSOLE_EVENTS[event])];
    // BUN_BE_BUN makes a built executable act as the Bun runtime, to run another script.
    await this.#run(["wine", "C:\\fds.exe", ...words], { BUN_BE_BUN: "1" });
  }

  /** Starts the built executable under Wine, and waits until it is ready, as {@link Program.start} does. */
  startProgram({ argv, env, ...options }: Omit<ProgramOptions, "executable">): Promise<Program> {
    const [executable = "", ...rest] = this.#command(["wine", "C:\\fds.exe", ...argv], env);
    return Program.start({ ...options, executable, argv: rest, env: {} });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // wineserver exits with an error if no process is left, so the exit code is ignored.
    await spawn(this.#command(["wineserver", "--kill", "--wait"], {})).exited;
    await rm(join(ROOT, this.prefix), { recursive: true, force: true });
    await this.built[Symbol.asyncDispose]();
  }

  async #run(command: string[], env: Record<string, string>): Promise<string> {
    const child = spawn(this.#command(command, env), { stderr: "ignore" });
    const text = await within(child.stdout.text(), `${command.join(" ")} to end`);
    const exitCode = await child.exited;
    if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}`);
    return text;
  }

  #command(command: string[], env: Record<string, string>): string[] {
    const settings = {
      // Wine needs a UTF-8 locale for file names that are not ASCII.
      LC_ALL: "C.UTF-8",
      LOG_FORMAT: "json",
      ...env,
      HOME: "/tmp",
      PATH: "/usr/bin:/bin",
      WINEPREFIX: this.prefix,
      WINEDEBUG: "-all",
    };
    const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    const enter = ROOT === "/" ? [] : ["chroot", ROOT];
    return [...enter, "env", "-i", ...words, ...command];
  }
}
