import { Failure } from "../../../lib/cli/program.ts";
import { spawn } from "../../support/spawn.ts";

/** Programs of others that yardsticks run, and the Debian package of each. */
const PACKAGES = {
  curl: "curl",
  md5sum: "coreutils",
  nginx: "nginx-light",
  rsync: "rsync",
  sync: "coreutils",
};

export type Tool = keyof typeof PACKAGES;

/** The path of a program, null where it is not installed. */
export function findTool(tool: Tool): string | null {
  // Where daemons are, which not everybody has in the PATH.
  return Bun.which(tool) ?? Bun.which(tool, { PATH: "/usr/sbin:/usr/local/sbin" });
}

/** How to get what is missing of some tools, null where all are there. */
export function howToGet(tools: readonly Tool[]): string | null {
  const missing = tools.filter((tool) => findTool(tool) === null);
  if (missing.length === 0) return null;
  const packages = missing.map((tool) => PACKAGES[tool]).join(" ");
  return `${missing.join(" and ")} not found, get it with "apt-get install ${packages}"`;
}

/**
 * Runs a program to its end.
 * @returns its standard output
 * @throws Failure with what it said on standard error when it fails
 */
export async function runTool(tool: Tool, args: string[]): Promise<string> {
  const child = startTool(tool, args);
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Failure(`${tool} failed: ${stderr.trim()}`);
  return stdout;
}

/** Starts a program that runs on. */
export function startTool(tool: Tool, args: string[]) {
  return spawn([findTool(tool) ?? tool, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}
