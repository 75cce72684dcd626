import { MIN_RATE_LIMIT } from "../../api/schemas.ts";
import { readSetting } from "../../util/flags.ts";
import { size } from "../../util/kinds.ts";
import { formatSize } from "../../util/sizes.ts";
import { findDownloadId } from "../rest/download-id.ts";
import { DOWNLOAD_FIELDS } from "../terminal/download-listing.ts";
import type { Command } from "./command.ts";
import { printDone } from "./listing.ts";

const RATE = size(MIN_RATE_LIMIT);

/** The command `fds limit`, which changes the rate limit of a download. */
export const limit: Command = {
  words: "ID RATE",
  wordCount: [2, 2],
  summary: "changes the rate limit of a download",
  flags: {},
  notes: 'RATE is the most bytes a second, such as 500KiB or 2MiB, or "off".',
  examples: ["limit 0198c0de-7f00 2MiB", "limit 0198c0de-7f00 off"],
  async run(context) {
    const { api, words, interruptions } = context;
    const [id = "", rate = ""] = words;
    const rate_limit = rate === "off" ? null : readRate(rate);
    const downloadId = await findDownloadId(api, id, interruptions.signal);
    const record = await api.change(downloadId, { rate_limit }, interruptions.signal);
    const limitText = rate_limit === null ? "no limit" : `${formatSize(rate_limit)}/s at most`;
    printDone(context, record, DOWNLOAD_FIELDS, `${limitText} ${record.download_id}`);
  },
};

function readRate(text: string): number {
  return readSetting({ source: "RATE", text }, RATE.schema, `${RATE.expected}, or "off"`);
}
