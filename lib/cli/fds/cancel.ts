import { findDownloadId } from "../rest/download-id.ts";
import { DOWNLOAD_COLUMNS } from "../terminal/download-listing.ts";
import { listingLines } from "../terminal/listing.ts";
import { paint } from "../terminal/terminal.ts";
import { type Command, print } from "./command.ts";

/** `fds cancel` */
export const cancel: Command = {
  words: "ID",
  count: [1, 1],
  summary: "ends a download that is not over",
  flags: {},
  examples: ["cancel 0198c0de-7f00"],
  async run(context) {
    const { api, words, interruptions } = context;
    const [text = ""] = words;
    const record = await api.cancel(await findDownloadId(api, text, interruptions.signal));
    print(context, {
      value: record,
      shown: (coloured) => [
        `${paint("✓", "green", coloured)} ${record.status} ${record.download_id}`,
      ],
      raw: () => listingLines(DOWNLOAD_COLUMNS, [record]),
    });
  },
};
