import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { findKeptDemos } from "../rest/kept-demo.ts";

/** Lines of a log that are shown. */
export const LAST_LINES = 50;

/** How long docker-compose may take, in ms. */
const COMPOSE_TIMEOUT = 15_000;

/** Docker's own plugin, and the program that came before it. */
const COMPOSE_COMMANDS = [["docker", "compose"], ["docker-compose"]];

/** Logs of running programs, wherever they are kept. */
export interface Logs {
  /** Where the lines come from, for a person. */
  source: string;
  /** Names of the programs: `server`, and the clients. */
  names: string[];
  /** The last lines of one of them. */
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
 * The logs of what runs on this machine.
 * @param demo the folder of the demo that the guide works with; null: it works with none
 * @param demos the folder that holds the demos' folders
 */
export async function findLogs(demo: string | null, demos: string): Promise<Logs | null> {
  if (demo !== null) return demoLogs(demo);
  const compose = await composeLogs();
  if (compose) return compose;
  const [latest] = await findKeptDemos(demos);
  return latest ? demoLogs(latest.folder) : null;
}

/** The output of a command; null if the command is not there, fails or hangs. */
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
