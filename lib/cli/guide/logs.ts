import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { findKeptDemos } from "../rest/kept-demo.ts";

/** Lines of a log that are shown. */
export const LAST_LINES = 50;

/** Time limit for docker-compose, in ms. */
const COMPOSE_TIMEOUT = 15_000;

/** Docker's own plugin, and its predecessor. */
const COMPOSE_COMMANDS = [["docker", "compose"], ["docker-compose"]];

/** Logs of running programs. */
export interface Logs {
  /** Source of the logs, for a person. */
  source: string;
  /** Names of the programs: `server` and the clients. */
  names: string[];
  /** The last lines of a log. */
  read(name: string): Promise<string[]>;
}

/**
 * The logs of the containers that docker-compose runs for the project of this folder.
 * @returns null where it is not installed, or runs nothing
 */
export async function composeLogs(): Promise<Logs | null> {
  for (const command of COMPOSE_COMMANDS) {
    const services = await output([...command, "ps", "--services", "--filter", "status=running"]);
    const names = services?.split("\n").filter(Boolean) ?? [];
    if (names.length === 0) continue;
    const flags = ["logs", "--no-color", "--no-log-prefix", `--tail=${LAST_LINES}`];
    return {
      source: command.join(" "),
      names: names.toSorted(),
      read: async (name) => lastLines((await output([...command, ...flags, name])) ?? ""),
    };
  }
  return null;
}

/** The log files of a demo. @param folder of the demo */
export async function demoLogs(folder: string): Promise<Logs> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".log"));
  return {
    source: folder,
    names: files.map((file) => file.slice(0, -".log".length)).toSorted(),
    read: async (name) => lastLines(await readFile(join(folder, `${name}.log`), "utf8")),
  };
}

/**
 * The logs of the programs on this machine.
 * @param demo folder of the demo that the guide works with; null: none
 * @param demos the folder that holds the demos' folders
 */
export async function findLogs(demo: string | null, demos: string): Promise<Logs | null> {
  if (demo !== null) return demoLogs(demo);
  const compose = await composeLogs();
  if (compose) return compose;
  const [latest] = await findKeptDemos(demos);
  return latest ? demoLogs(latest.folder) : null;
}

/** Output of a command; null if it does not exist, fails or hangs. */
async function output([program = "", ...args]: string[]): Promise<string | null> {
  if (!Bun.which(program)) return null;
  const child = Bun.spawn([program, ...args], {
    stdio: ["ignore", "pipe", "ignore"],
    timeout: COMPOSE_TIMEOUT,
  });
  const text = await child.stdout.text();
  return (await child.exited) === 0 ? text : null;
}

function lastLines(text: string): string[] {
  return text.trimEnd().split("\n").slice(-LAST_LINES);
}
