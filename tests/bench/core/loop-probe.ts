import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Name of the file in which `peers/loop-probe.ts` records how long the event loop of a server was blocked.
 * The file is in the server's working folder.
 */
export const HOLDS = "event-loop-holds.txt";

/** Settings with which a server records each time that its event loop was blocked. */
export const LOOP_PROBE = {
  BUN_OPTIONS: `--preload=${join(import.meta.dir, "../peers/loop-probe.ts")}`,
};

/**
 * Returns the longest time that a server's event loop was blocked, in ms of processor time.
 * @param folder the server's working folder
 * @param since beginning of the time to look at, in ms since 1970
 * @param until end of the time to look at, in ms since 1970
 */
export function longestHold(folder: string, since: number, until = Infinity): number {
  const holds = readFileSync(join(folder, HOLDS), "utf8")
    .split("\n")
    .map((line) => line.split(" ").map(Number))
    .filter(([at = 0]) => at >= since && at < until);
  return Math.max(0, ...holds.map(([, held = 0]) => held));
}
