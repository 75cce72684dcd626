import { findDownloadId } from "../rest/download-id.ts";
import { DOWNLOAD_FIELDS } from "../terminal/download-listing.ts";
import type { Command } from "./command.ts";
import { printDone } from "./listing.ts";

/** The command `fds cancel`, which ends a download. */
export const cancel: Command = {
  words: "ID",
  wordCount: [1, 1],
  summary: "ends a download that has not ended yet",
  flags: {},
  examples: ["cancel 0198c0de-7f00"],
  async run(context) {
    const { api, words, interruptions } = context;
    const [text = ""] = words;
    const record = await api.cancel(await findDownloadId(api, text, interruptions.signal));
    printDone(context, record, DOWNLOAD_FIELDS, `${record.status} ${record.download_id}`);
  },
};
