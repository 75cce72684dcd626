import { downloadFields } from "../terminal/download-fields.ts";
import { findDownloadId } from "../rest/download-id.ts";
import { downloadsDirOf, savedPathOf } from "../saved-path.ts";
import { fieldLines } from "../terminal/listing.ts";
import { type Command, print } from "./command.ts";

/** The command `fds status`, which shows all fields of a download. */
export const status: Command = {
  words: "ID",
  wordCount: [1, 1],
  summary: "all fields of a download",
  flags: {},
  notes: `The first characters of an ID are enough, as long as no other download begins with them.`,
  examples: ["status 0198c0de-7f00", "status 0198c0de-7f00 --json | jq -r .md5"],
  async run(context) {
    const { api, words, interruptions } = context;
    const { signal } = interruptions;
    const [text = ""] = words;
    const record = await api.download(await findDownloadId(api, text, signal), signal);
    print(context, {
      value: record,
      shown: (coloured) =>
        downloadFields(record, savedPathOf(record, downloadsDirOf(context.env)), coloured),
      raw: () => fieldLines(record),
    });
  },
};
