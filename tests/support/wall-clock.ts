import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "./spawn.ts";

const DAY_SECONDS = 86_400;

/** The folder in which faketime keeps shared memory, in files named by process id. */
const SHARED = "/dev/shm";

/**
 * A wall clock for a program, which can be set while the program runs, as NTP does. The monotonic clock and
 * the times of files stay right.
 */
export class WallClock {
  readonly #file: string;

  /**
   * @param folder for the file that holds the clock's error
   * @param name of the program
   */
  constructor(folder: string, name: string) {
    this.#file = join(folder, `${name}.clock`);
    this.set(0);
    forgetKilledPrograms();
  }

  /** Environment variables that make a program use this clock. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: faketimeLibrary(),
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    };
  }

  /** Makes the clock wrong by this many days from now on. Negative: it is slow. */
  set(days: number): void {
    this.#write(days * DAY_SECONDS);
  }

  /** Sets the clock to a time, in ms since 1970, from which it goes on. */
  setTo(time: number): void {
    this.#write((time - Date.now()) / 1000);
  }

  #write(seconds: number): void {
    // The file is replaced by a rename, because the program may read it at any moment.
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? "" : "+"}${seconds}`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/** Returns the path of the library that faketime preloads into a program. */
function faketimeLibrary(): string {
  const { stdout, stderr } = spawnSync(["faketime", "-f", "+0", "printenv", "LD_PRELOAD"]);
  const library = stdout.toString().trim();
  if (library === "") throw new Error(`faketime does not work: ${stderr}`);
  return library;
}

/**
 * Removes the shared memory that faketime left when programs were killed. A new program with the same process
 * id would otherwise fail to create its own.
 */
function forgetKilledPrograms(): void {
  for (const name of existsSync(SHARED) ? readdirSync(SHARED) : []) {
    const pid = /^(?:sem\.)?faketime_(?:shm|sem)_(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(SHARED, name), { force: true });
  }
}
