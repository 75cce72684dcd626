import type { Figures } from "./figures.ts";
import type { Cost, Pulls } from "./stage.ts";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/**
 * Adds the CPU time and memory that pulls needed to the figures.
 * @param prefix beginning of the figures' names, such as `"ours, MD5, "`
 */
export function addCost(figures: Figures, cost: Pulls & Cost, prefix = ""): void {
  const gibibytes = cost.bytes / GiB;
  figures.add(`${prefix}CPU of the server`, "CPU s/GiB", cost.serverCpu / gibibytes);
  figures.add(`${prefix}CPU of all clients`, "CPU s/GiB", cost.clientsCpu / gibibytes);
  figures.add(`${prefix}peak memory of the server`, "MiB", cost.serverMemory / MiB);
  figures.add(`${prefix}peak memory of a client`, "MiB", cost.clientMemory / MiB);
}
