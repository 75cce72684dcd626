import { Failure } from "../../../lib/cli/program.ts";
import { spawn } from "../../support/spawn.ts";

/** The external programs that the comparisons run, with the Debian package of each. */
const PACKAGES = {
  curl: "curl",
  md5sum: "coreutils",
  nginx: "nginx-light",
  rsync: "rsync",
  sync: "coreutils",
};

export type Tool = keyof typeof PACKAGES;

/** Returns the path of a program; null if it is not installed. */
export function findTool(tool: Tool): string | null {
  // Daemons are in folders that are not in every user's PATH.
  return Bun.which(tool) ?? Bun.which(tool, { PATH: "/usr/sbin:/usr/local/sbin" });
}

/** Returns the instruction to install the missing programs; null if none is missing. */
export function howToGet(tools: readonly Tool[]): string | null {
  const missing = tools.filter((tool) => findTool(tool) === null);
  if (missing.length === 0) return null;
  const packages = missing.map((tool) => PACKAGES[tool]).join(" ");
  return `${missing.join(" and ")} not found, get it with "apt-get install ${packages}"`;
}

/**
 * Runs a program and waits until it ends.
 * @returns the standard output
 * @throws Failure with the standard error if the program fails
 */
export async function runTool(tool: Tool, args: string[]): Promise<string> {
  const child = startTool(tool, args);
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Failure(`${tool} failed: ${stderr.trim()}`);
  return stdout;
}

/** Starts a program without waiting for its end. */
export function startTool(tool: Tool, args: string[]) {
  return spawn([findTool(tool) ?? tool, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}
