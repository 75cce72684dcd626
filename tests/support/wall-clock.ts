import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "./spawn.ts";

const DAY_SECONDS = 86_400;

/** Where faketime keeps what programs share, named by the number of a process. */
const SHARED = "/dev/shm";

/**
 * The wall clock of a program, which can be set while it runs, as an operator or NTP does it: the
 * monotonic clock goes on, and the times of files are what they are.
 */
export class WallClock {
  readonly #file: string;

  /** @param folder for the file that says how wrong it is */
  constructor(folder: string, name: string) {
    this.#file = join(folder, `${name}.clock`);
    this.set(0);
    forgetKilledPrograms();
  }

  /** Settings that let a program live by it. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: faketimeLibrary(),
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      NO_FAKE_STAT: "1",
    };
  }

  /** From now on it is so many days wrong. */
  set(days: number): void {
    this.#write(days * DAY_SECONDS);
  }

  /** It says this time now, ms since 1970, and goes on from there. */
  setTo(time: number): void {
    this.#write((time - Date.now()) / 1000);
  }

  #write(seconds: number): void {
    // In one go: the program reads the file at any moment.
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? "" : "+"}${seconds}`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}

/** The library that faketime loads into a program. */
function faketimeLibrary(): string {
  const { stdout, stderr } = spawnSync(["faketime", "-f", "+0", "printenv", "LD_PRELOAD"]);
  const library = stdout.toString().trim();
  if (library === "") throw new Error(`faketime does not work: ${stderr}`);
  return library;
}

/**
 * Removes what killed programs left of faketime. A program that gets the number of such a one would find
 * its place taken, and have no clock of its own.
 */
function forgetKilledPrograms(): void {
  for (const name of existsSync(SHARED) ? readdirSync(SHARED) : []) {
    const pid = /^(?:sem\.)?faketime_(?:shm|sem)_(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(SHARED, name), { force: true });
  }
}
