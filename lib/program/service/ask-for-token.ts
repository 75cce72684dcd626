import { createInterface } from "node:readline/promises";
import { readSetting, UsageError } from "../../util/flags.ts";
import { TOKEN } from "../../util/kinds.ts";
import { stderr } from "../../util/output.ts";

/**
 * Reads an enrolment key or token from the first line of an input.
 * @throws UsageError where the line is missing, empty or not a token
 */
export async function askForToken(input: NodeJS.ReadStream): Promise<string> {
  if (input.isTTY) stderr.write("Enrolment key or token: ");
  using lines = createInterface({ input, terminal: false });
  const { value: text } = await lines[Symbol.asyncIterator]().next();
  if (typeof text !== "string" || text.trim() === "") {
    throw new UsageError("there is no token on standard input, expected one line");
  }
  const setting = { source: "the token on standard input", text: text.trim(), secret: true };
  return readSetting(setting, TOKEN.schema, TOKEN.expected);
}
