import { basename } from "node:path";
import { rowsOf } from "../support/rows.ts";
import { Strace } from "../support/strace.ts";
import { waitFor } from "../support/wait.ts";
import type { Stage } from "./stage.ts";

/** The system calls that flush data of a download to the disk, or change names. */
const CALLS = "fsync,fdatasync,syncfs,link,linkat,unlink,unlinkat,rename,renameat,renameat2";

/** Number of steps tested at once. Most of their time is spent waiting for clients to reconnect. */
const AT_ONCE = 4;

/** Time limit for {@link overSteps}, in ms. A download has about 15 steps. */
export const STEPS_DEADLINE = 300_000;

/**
 * Starts a download while the client is kept disconnected, to be continued by {@link stepThrough}.
 * @param pull starts another download than that of the stage's file
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
 * Lets the client of {@link pullWhileAway} connect, and the server carry out the download, stopping it after
 * each call of {@link CALLS}.
 * @param until the step after which the server stays stopped; without one, the download runs to its end
 * @returns the steps carried out, such as `"link 1"` or `"fsync parts 2"`
 */
export async function stepThrough(
  { system, proxy }: Stage,
  downloadId: string,
  until?: string,
): Promise<string[]> {
  const how = { calls: CALLS, inject: "signal=STOP" };
  await using strace = await Strace.attach(system.server, system.folder, how);
  // The client is released only after strace has attached, which may take long on a busy machine. Otherwise
  // the first steps would be missed.
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

/** Removes client and download ids from a file name, so that steps have the same names in each run. */
const partOrSet = (name: string) => name.replace(/^.*\.(part|set|sums)$/, "$1");

/**
 * Names traced calls by system call, file and a running number.
 * @param known returns a name of the file that is the same in each run
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
 * Runs a function for each step of a download in turn.
 * @param run like {@link stepThrough}: stops after the step `until`, and returns the steps carried out
 * @returns the steps that were met
 * @throws AggregateError after all have ended, with the names of the failed steps
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
