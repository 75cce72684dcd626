import { findDownloadId } from "../rest/download-id.ts";
import { paint } from "../terminal/terminal.ts";
import { type Command, print } from "./command.ts";

/** The command `fds retry`, which repeats a failed or cancelled download. */
export const retry: Command = {
  words: "ID",
  wordCount: [1, 1],
  summary: "pulls a failed or cancelled download again",
  flags: {},
  notes: `It becomes a new download, whose id is printed; follow it with "fds status" or "fds watch".`,
  examples: ["retry 0198c0de-7f00"],
  async run(context) {
    const { api, words, interruptions } = context;
    const [text = ""] = words;
    const accepted = await api.retry(await findDownloadId(api, text, interruptions.signal));
    print(context, {
      value: accepted,
      shown: (coloured) => [
        `${paint("✓", "green", coloured)} ${accepted.status} again as ${accepted.download_id}`,
      ],
      raw: () => [accepted.download_id],
    });
  },
};
