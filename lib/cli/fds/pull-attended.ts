import { ApiCallError, UnreachableError } from "../rest/api-errors.ts";
import { type FollowOptions, PATIENCE_MS } from "../rest/follow.ts";
import { Input } from "../terminal/input.ts";
import { Interrupted } from "../program.ts";
import type { CommandContext } from "./command.ts";

/** A download or a job to follow. It continues at the server even if this program ends. */
export interface FollowTarget<T> {
  /** The noun for questions to the user: `the download`. */
  what: string;
  /**
   * Names the download or job in the message that is printed if following it is interrupted: the download's
   * id, or the command that shows the job.
   */
  id: string;
  /** Shows the progress until the download or job has ended. */
  follow: (options: FollowOptions) => Promise<T>;
  cancel: () => Promise<unknown>;
}

/**
 * Shows progress bars until a download or job has ended. On Ctrl-C, asks whether to cancel the download or
 * job, if the user can answer questions.
 */
export async function followToTheEnd<T>(
  context: CommandContext,
  target: FollowTarget<T>,
): Promise<T> {
  try {
    for (;;) {
      const ended = await followUntilCtrlC(context, target);
      if (ended) return ended.result;
      if (await wantsToCancel(context, target)) await cancel(target);
    }
  } catch (error) {
    if (error instanceof Interrupted || error instanceof UnreachableError) {
      context.err.write(`not cancelled, it goes on at the server: ${target.id}\n`);
    }
    throw error;
  }
}

/**
 * Follows a download or job until it has ended. If the user can answer questions, Ctrl-C makes this function
 * return, and does not end the program.
 * @returns null after Ctrl-C
 */
async function followUntilCtrlC<T>(
  { interactive, interruptions }: CommandContext,
  { follow }: FollowTarget<T>,
): Promise<{ result: T } | null> {
  const ctrlC = new AbortController();
  using _ = interactive
    ? interruptions.takeOverCtrlC(() => ctrlC.abort(new Interrupted("SIGINT")))
    : null;
  const signal = AbortSignal.any([interruptions.signal, ctrlC.signal]);
  try {
    return { result: await follow({ signal, patience: PATIENCE_MS }) };
  } catch (error) {
    if (error !== ctrlC.signal.reason) throw error;
    return null;
  }
}

async function wantsToCancel(
  { err, interruptions }: CommandContext,
  { what }: FollowTarget<unknown>,
): Promise<boolean> {
  using input = new Input(process.stdin, err);
  const question = `\nCancel ${what}? Another Ctrl-C leaves, and lets it go on`;
  return await input.confirm(question, interruptions.signal);
}

/** Cancels a download or job. Does nothing if it has already ended. */
async function cancel({ cancel: end }: FollowTarget<unknown>): Promise<void> {
  try {
    await end();
  } catch (error) {
    const codes = ["download_already_ended", "job_ended"];
    if (!(error instanceof ApiCallError) || !codes.includes(error.code)) throw error;
  }
}
