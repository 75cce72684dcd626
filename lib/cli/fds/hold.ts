import { findDownloadId } from "../rest/download-id.ts";
import { DOWNLOAD_FIELDS } from "../terminal/download-listing.ts";
import type { Command, CommandContext } from "./command.ts";
import { printDone } from "./listing.ts";

/** The command `fds hold`, which protects a download from removal. */
export const hold: Command = {
  words: "ID",
  wordCount: [1, 1],
  summary: "keeps a download, whatever the rules of retention say",
  flags: {},
  notes: `Nobody removes it before "fds release". A download that has not come yet can be held too.`,
  examples: ["hold 0198c0de-7f00"],
  run: (context) => setHold(context, true),
};

/** The command `fds release`, which lifts the hold of a download. */
export const release: Command = {
  words: "ID",
  wordCount: [1, 1],
  summary: "lifts the hold of a download",
  flags: {},
  notes: `If no rule keeps it (that of its job, or the server's KEEP_DAYS), it is removed soon.`,
  examples: ["release 0198c0de-7f00"],
  run: (context) => setHold(context, false),
};

async function setHold(context: CommandContext, isHeld: boolean): Promise<void> {
  const { api, words, interruptions } = context;
  const [text = ""] = words;
  const downloadId = await findDownloadId(api, text, interruptions.signal);
  const record = await api.change(downloadId, { hold: isHeld }, interruptions.signal);
  printDone(context, record, DOWNLOAD_FIELDS, `${isHeld ? "held" : "released"} ${downloadId}`);
}
