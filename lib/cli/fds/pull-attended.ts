import type { DownloadRecord } from "../../api/schemas.ts";
import { ApiCallError, UnreachableError } from "../rest/api-errors.ts";
import { follow, PATIENCE_MS, type Started } from "../rest/follow.ts";
import { Input } from "../terminal/input.ts";
import { Interrupted } from "../program.ts";
import { someOf } from "../terminal/terminal.ts";
import type { CommandContext } from "./command.ts";

/** Shows the bars until the end; on Ctrl-C it asks what is to become of the downloads. */
export async function followToTheEnd(
  context: CommandContext,
  started: Started[],
): Promise<DownloadRecord[]> {
  try {
    for (;;) {
      const records = await followUntilCtrlC(context, started);
      if (records) return records;
      if (await wantsToCancel(context, started)) await cancelAll(context, started);
    }
  } catch (error) {
    if (error instanceof Interrupted || error instanceof UnreachableError) {
      const ids = someOf(
        started.map(({ downloadId }) => downloadId),
        " ",
      );
      context.err.write(`not cancelled, it goes on at the server: ${ids}\n`);
    }
    throw error;
  }
}

/** @returns null when somebody who can be asked pressed Ctrl-C */
async function followUntilCtrlC(
  { api, err, interactive, interruptions, values }: CommandContext,
  started: Started[],
): Promise<DownloadRecord[] | null> {
  const pressed = new AbortController();
  using _ = interactive
    ? interruptions.takeOverCtrlC(() => pressed.abort(new Interrupted("SIGINT")))
    : null;
  const signal = AbortSignal.any([interruptions.signal, pressed.signal]);
  try {
    const withTotal = values["all"] === true;
    return await follow(api, started, err, { signal, patience: PATIENCE_MS, withTotal });
  } catch (error) {
    if (error !== pressed.signal.reason) throw error;
    return null;
  }
}

async function wantsToCancel(
  { err, interruptions }: CommandContext,
  { length }: Started[],
): Promise<boolean> {
  using input = new Input(process.stdin, err);
  const what = length === 1 ? "the download" : `the ${length} downloads`;
  const question = `\nCancel ${what}? Another Ctrl-C leaves, and lets it go on`;
  return await input.confirm(question, interruptions.signal);
}

async function cancelAll({ api }: CommandContext, started: Started[]): Promise<void> {
  for (const { downloadId } of started) {
    try {
      await api.cancel(downloadId);
    } catch (error) {
      const hasEnded = error instanceof ApiCallError && error.code === "download_already_ended";
      if (!hasEnded) throw error;
    }
  }
}
