import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { findKeptDemos } from "../rest/kept-demo.ts";

/** The number of lines of a log that are shown, counted from its end. */
export const LAST_LINES = 50;

/** Time limit for a call of docker-compose, in ms. */
const COMPOSE_TIMEOUT = 15_000;

/** The two commands of Docker Compose: Docker's plugin, and the older stand-alone program. */
const COMPOSE_COMMANDS = [["docker", "compose"], ["docker-compose"]];

/** Logs of running programs. */
export interface Logs {
  /** The source of the logs, as text for the user. */
  source: string;
  /** The names of programs with a log: `server`, and the clients. */
  names: string[];
  /** Returns the last lines of a program's log. */
  read(name: string): Promise<string[]>;
}

/**
 * Returns the logs of the containers that docker-compose runs for the project of the current folder.
 * @returns null where docker-compose is not installed, or runs no containers
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

/** Returns the log files of a demo. @param folder the folder of the demo */
export async function demoLogs(folder: string): Promise<Logs> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".log"));
  return {
    source: folder,
    names: files.map((file) => file.slice(0, -".log".length)).toSorted(),
    read: async (name) => lastLines(await readFile(join(folder, `${name}.log`), "utf8")),
  };
}

/**
 * Returns the logs of a server and clients on this machine, or null where there are none.
 * @param demo folder of the demo that the guide works with; null for none
 * @param demos the folder that contains the folders of all demos
 */
export async function findLogs(demo: string | null, demos: string): Promise<Logs | null> {
  if (demo !== null) return demoLogs(demo);
  const compose = await composeLogs();
  if (compose) return compose;
  const [latest] = await findKeptDemos(demos);
  return latest ? demoLogs(latest.folder) : null;
}

/** Returns the output of a command; null if the command does not exist, fails or hangs. */
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
