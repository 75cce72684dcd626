import { UsageError } from "../../util/flags.ts";
import { plainJson } from "../../util/plain-text.ts";
import { Interrupted } from "../program.ts";
import { ApiCallError, UnreachableError } from "../rest/api-errors.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** Standard output of a command, on which a script with `--json` always finds JSON. */
export class JsonOutput {
  /** Output for the command. */
  readonly terminal: Terminal;
  private isEmpty = true;

  constructor(private readonly output: Terminal) {
    const write = (text: string) => {
      this.isEmpty = false;
      output.write(text);
    };
    this.terminal = { ...output, write };
  }

  /** Writes why the command failed, unless its result says so. */
  tellFailure(error: unknown): void {
    if (!this.isEmpty || error instanceof Interrupted) return;
    const message = error instanceof Error ? error.message : String(error);
    this.output.write(`${plainJson({ error: message, code: codeOf(error) })}\n`);
  }
}

/** The server's code, or our own. */
function codeOf(error: unknown): string {
  if (error instanceof ApiCallError) return error.code;
  if (error instanceof UnreachableError) return "unreachable";
  return error instanceof UsageError ? "usage_error" : "failed";
}
