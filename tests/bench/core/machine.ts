import { cpus, release, totalmem } from "node:os";
import { readFile } from "node:fs/promises";
import { spawnSync } from "../../support/spawn.ts";

/** The machine of a measurement. Figures of different machines cannot be compared. */
export interface Machine {
  cpu: string;
  cores: number;
  /** Size of the memory, in bytes. */
  memory: number;
  kernel: string;
  bun: string;
  /** Type of the file system of each folder that was written to, by the folder's name. */
  fileSystems: Record<string, string>;
}

/**
 * Describes this machine.
 * @param places paths of the folders that are written to, by name
 */
export async function machine(places: Record<string, string>): Promise<Machine> {
  const mounts = (await readFile("/proc/mounts", "utf8"))
    .split("\n")
    .map((line) => line.split(" "));
  const fileSystemOf = (folder: string) => {
    const holding = mounts.filter(([, at = "?"]) =>
      `${folder}/`.startsWith(at === "/" ? at : `${at}/`),
    );
    const [, , type = "unknown"] =
      holding.toSorted((a, b) => a[1]!.length - b[1]!.length).at(-1) ?? [];
    return type;
  };
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memory: totalmem(),
    kernel: release(),
    bun: Bun.version,
    fileSystems: Object.fromEntries(
      Object.entries(places).map(([name, folder]) => [name, fileSystemOf(folder)]),
    ),
  };
}

/** Returns the commit that is measured, with a note if there are uncommitted changes. */
export function commit(): string {
  const git = (...args: string[]) =>
    spawnSync(["git", ...args], { cwd: import.meta.dir, stderr: "ignore" })
      .stdout.toString()
      .trim();
  const changed = git("status", "--porcelain") === "" ? "" : " and changes";
  return (git("rev-parse", "--short=12", "HEAD") || "unknown") + changed;
}
