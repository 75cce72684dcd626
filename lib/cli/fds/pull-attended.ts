import { ApiCallError, UnreachableError } from "../rest/api-errors.ts";
import { type FollowOptions, PATIENCE_MS } from "../rest/follow.ts";
import { Input } from "../terminal/input.ts";
import { Interrupted } from "../program.ts";
import type { CommandContext } from "./command.ts";

/** Something that goes on at the server, even if this program ends. */
export interface Attended<T> {
  /** What it is, for questions: `the download`. */
  what: string;
  /** Its id for other commands. */
  id: string;
  /** Shows its progress until it has ended. */
  follow: (options: FollowOptions) => Promise<T>;
  cancel: () => Promise<unknown>;
}

/** Shows the bars until the end. On Ctrl-C it asks whether to cancel. */
export async function followToTheEnd<T>(
  context: CommandContext,
  attended: Attended<T>,
): Promise<T> {
  try {
    for (;;) {
      const found = await followUntilCtrlC(context, attended);
      if (found) return found.result;
      if (await wantsToCancel(context, attended)) await cancel(attended);
    }
  } catch (error) {
    if (error instanceof Interrupted || error instanceof UnreachableError) {
      context.err.write(`not cancelled, it goes on at the server: ${attended.id}\n`);
    }
    throw error;
  }
}

/** @returns null after Ctrl-C, where somebody can be asked */
async function followUntilCtrlC<T>(
  { interactive, interruptions }: CommandContext,
  { follow }: Attended<T>,
): Promise<{ result: T } | null> {
  const pressed = new AbortController();
  using _ = interactive
    ? interruptions.takeOverCtrlC(() => pressed.abort(new Interrupted("SIGINT")))
    : null;
  const signal = AbortSignal.any([interruptions.signal, pressed.signal]);
  try {
    return { result: await follow({ signal, patience: PATIENCE_MS }) };
  } catch (error) {
    if (error !== pressed.signal.reason) throw error;
    return null;
  }
}

async function wantsToCancel(
  { err, interruptions }: CommandContext,
  { what }: Attended<unknown>,
): Promise<boolean> {
  using input = new Input(process.stdin, err);
  const question = `\nCancel ${what}? Another Ctrl-C leaves, and lets it go on`;
  return await input.confirm(question, interruptions.signal);
}

/** Cancels it, unless it has ended by itself meanwhile. */
async function cancel({ cancel: end }: Attended<unknown>): Promise<void> {
  try {
    await end();
  } catch (error) {
    const codes = ["download_already_ended", "job_ended"];
    if (!(error instanceof ApiCallError) || !codes.includes(error.code)) throw error;
  }
}
