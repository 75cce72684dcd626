import { existsSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { BuiltProgram } from "./built-program.ts";
import { Program, type ProgramOptions } from "./programs.ts";
import { spawn } from "./spawn.ts";
import { within } from "./wait.ts";

/** Where Wine is installed: a system of its own, such as a Debian in a folder, or this one. */
const ROOT = process.env["TEST_WINE_ROOT"] ?? "/";

/** Why nothing runs as on Windows here, to stand behind the name of a test; `""` where it does. */
export const lacksWine = hasWine() ? "" : " (needs Wine 10: tests/README.md has the way to get it)";

function hasWine(): boolean {
  if (process.platform !== "linux" || process.arch !== "x64") return false;
  return existsSync(join(ROOT, "usr/lib/wine")) && (ROOT === "/" || process.getuid?.() === 0);
}

/** Events of a console, by their numbers on Windows. */
const CONSOLE_EVENTS = { break: 1, close: 2, shutdown: 6 } as const;

export type ConsoleEvent = keyof typeof CONSOLE_EVENTS;

/** A Windows of its own, with a drive `C:` that begins empty, and the program built for it. */
export class Wine implements AsyncDisposable {
  private constructor(
    /** As Wine's system sees it. */
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

  /** A path of Windows as this system sees it. */
  path(windowsPath: string): string {
    const rest = windowsPath.replace(/^C:\\/, "").split("\\");
    return join(ROOT, this.prefix, "drive_c", ...rest);
  }

  /** Runs a command to its end. @returns what it writes */
  async run(...command: string[]): Promise<string> {
    return this.#run(command, {});
  }

  /** Tells a program of an event of its console. @param stateDir of the client that it is */
  async tell(stateDir: string, event: ConsoleEvent): Promise<void> {
    const { pid } = (await Bun.file(this.path(`${stateDir}\\connection.json`)).json()) as {
      pid: number;
    };
    await copyFile(join(import.meta.dir, "console-event.ts"), this.path("C:\\console-event.ts"));
    const words = ["C:\\console-event.ts", String(pid), String(CONSOLE_EVENTS[event])];
    // With that, a built program is the runtime itself.
    await this.#run(["wine", "C:\\fds.exe", ...words], { BUN_BE_BUN: "1" });
  }

  /** Starts the built program: as {@link Program.start} does. */
  startProgram({ argv, env, ...options }: Omit<ProgramOptions, "executable">): Promise<Program> {
    const [executable = "", ...rest] = this.#command(["wine", "C:\\fds.exe", ...argv], env);
    return Program.start({ ...options, executable, argv: rest, env: {} });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It fails where nothing runs any more.
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
      // Names that are not ASCII need it.
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
