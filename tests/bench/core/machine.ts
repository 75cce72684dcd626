import { cpus, release, totalmem } from "node:os";
import { readFile } from "node:fs/promises";
import { spawnSync } from "../../support/spawn.ts";

/** On what it was measured: figures of two machines do not compare. */
export interface Machine {
  cpu: string;
  cores: number;
  /** Bytes. */
  memory: number;
  kernel: string;
  bun: string;
  /** The file system of each place that was written to. */
  fileSystems: Record<string, string>;
}

/** @param places folders, by the name of the place */
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

/** The commit that is measured, and whether anything is changed in it. */
export function commit(): string {
  const git = (...args: string[]) =>
    spawnSync(["git", ...args], { cwd: import.meta.dir, stderr: "ignore" })
      .stdout.toString()
      .trim();
  const changed = git("status", "--porcelain") === "" ? "" : " and changes";
  return (git("rev-parse", "--short=12", "HEAD") || "unknown") + changed;
}
