import { basename } from "node:path";
import { rowsOf } from "../support/rows.ts";
import { Strace } from "../support/strace.ts";
import { waitFor } from "../support/wait.ts";
import type { Stage } from "./stage.ts";

/** Every call by which something of a download gets to the disk, or gets a name there. */
const CALLS = "fsync,fdatasync,syncfs,link,linkat,unlink,unlinkat,rename,renameat,renameat2";

/** How many are tried at once: most of the time they wait for a client to come back. */
const AT_ONCE = 4;

/** The most that {@link overSteps} takes, in ms; there are about 15 steps. */
export const STEPS_DEADLINE = 300_000;

/**
 * Asks for the stage's file while its client is away, and kept away: see {@link stepThrough}.
 * @param pull asks for something else
 */
export async function pullWhileAway(
  { system, proxy }: Stage,
  pull = () => system.pull("file"),
): Promise<string> {
  proxy.hold("up");
  proxy.cut("rst");
  await waitFor(
    async () => (await system.api.clients()).every(({ connected }) => !connected),
    "the client to be away",
  );
  return pull();
}

/**
 * Lets the client of {@link pullWhileAway} come back, and a server carry out the download, one call
 * of {@link CALLS} after the other.
 * @param until the step after which it is left stopped; without one it goes on to the end
 * @returns the steps that were done: `"link 1"`, `"fsync parts 2"`
 */
export async function stepThrough(
  { system, proxy }: Stage,
  downloadId: string,
  until?: string,
): Promise<string[]> {
  const how = { calls: CALLS, inject: "signal=STOP" };
  await using strace = await Strace.attach(system.server, system.folder, how);
  // Only now: under load it takes longer than a client stays away, and the first steps were missed.
  proxy.release("up");
  const hasStopped = (times: number) =>
    strace.lines.filter((line) => line.includes("--- SIGSTOP {")).length >= times;
  const isCompleted = () => rowsOf(system).get(downloadId)?.status === "completed";
  for (let stops = 1; ; stops++) {
    await waitFor(() => hasStopped(stops) || isCompleted(), `stop ${stops}`);
    const steps = stepsOf(strace.lines, partOrSet);
    if (until !== undefined && steps.includes(until)) return steps;
    if (!hasStopped(stops)) {
      await strace[Symbol.asyncDispose]();
      system.server.signal("SIGCONT");
      return steps;
    }
    system.server.signal("SIGCONT");
  }
}

/** What a call was on, by a name without clients and ids. */
const partOrSet = (name: string) => name.replace(/^.*\.(part|set|sums)$/, "$1");

/**
 * Calls by their names and what they were on, numbered.
 * @param known gives the name of a file that is the same in each run
 */
export function stepsOf(lines: string[], known: (name: string) => string): string[] {
  const times = new Map<string, number>();
  const calls = lines.map((line) => /^\d+ +(\w+)\((?:\d+<([^>]*)>)?/.exec(line));
  return calls
    .filter((call) => call !== null)
    .map(([, call, path = ""]) => {
      const name = `${call} ${known(basename(path))}`.trim();
      times.set(name, (times.get(name) ?? 0) + 1);
      return `${name} ${times.get(name)}`;
    });
}

/**
 * Runs something for each step of a download in turn.
 * @param run as {@link stepThrough}
 * @returns the steps that were met
 * @throws Error that names the step of the first one that failed, once all have ended
 */
export async function overSteps(run: (until?: string) => Promise<string[]>): Promise<Set<string>> {
  const met = new Set<string>();
  const failures: Error[] = [];
  const steps = await run();
  const work = async () => {
    for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
      try {
        if ((await run(step)).includes(step)) met.add(step);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : String(cause);
        failures.push(new Error(`after "${step}" it fails: ${why}`, { cause }));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failures.length > 0) {
    throw new AggregateError(failures, failures.map(({ message }) => message).join("\n\n"));
  }
  return met;
}
