import { healthFields } from "../terminal/health-fields.ts";
import { fieldLines } from "../terminal/listing.ts";
import { type Command, print } from "./command.ts";

/** The command `fds health`, which shows whether the server works. */
export const health: Command = {
  words: "",
  wordCount: [0, 0],
  summary: "whether the server works",
  flags: {},
  examples: ["health", "health --server https://files.example.com --json"],
  async run(context) {
    const answer = await context.api.health(context.interruptions.signal);
    print(context, {
      value: answer,
      shown: (coloured) => healthFields(answer, coloured),
      raw: () => fieldLines(answer),
    });
  },
};
