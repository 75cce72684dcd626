import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { system, useCommandLine } from "./command-line.ts";
import { spawnSync } from "./spawn.ts";

/** The time of last change of one test file, in seconds since 1970. */
export const LONG_AGO = 1_700_000_000;

/** The folder that the client serves. */
export let root: string;

/** Returns the differences between two folders, as `diff -r` prints them. Empty if there are none. */
export function diff(one: string, other: string): string {
  const run = spawnSync(["diff", "-r", one, other]);
  return run.stdout.toString() + run.stderr.toString();
}

/** Before a file's tests, starts a server and a client with a tree of test files. */
export function useSets(): void {
  useCommandLine(async () => {
    root = join(system.folder, "root");
    await mkdir(join(root, "logs/deep"), { recursive: true });
    for (let n = 0; n < 20; n++) await writeFile(join(root, "logs", `day-${n}.log`), "x".repeat(n));
    await writeFile(join(root, "logs/deep/large.bin"), Buffer.alloc(3_000_000, "large"));
    await writeFile(join(root, "logs/deep/it's 100% ü.txt"), "odd");
    await utimes(join(root, "logs/day-5.log"), LONG_AGO, LONG_AGO);
    await writeFile(join(root, "sales_1.csv"), "1");
    await writeFile(join(root, "sales_2.csv"), "22");
    await mkdir(join(root, "mixed"));
    await writeFile(join(root, "mixed/good.txt"), "good");
    await writeFile(Buffer.from(`${root}/mixed/caf\xe9.txt`, "latin1"), "");
    await system.startClient();
  });
}
