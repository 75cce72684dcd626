import { UsageError } from "../../util/flags.ts";
import { plainJson } from "../../util/plain-text.ts";
import { Interrupted } from "../program.ts";
import { ApiCallError, UnreachableError } from "../rest/api-errors.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** Standard output of a command. With `--json`, it contains JSON even if the command fails. */
export class JsonOutput {
  /** The terminal to which the command writes its result. */
  readonly terminal: Terminal;
  private isEmpty = true;

  constructor(private readonly output: Terminal) {
    const write = (text: string) => {
      this.isEmpty = false;
      output.write(text);
    };
    this.terminal = { ...output, write };
  }

  /** Writes an error as JSON, unless the command has already written a result or was interrupted. */
  tellFailure(error: unknown): void {
    if (!this.isEmpty || error instanceof Interrupted) return;
    const message = error instanceof Error ? error.message : String(error);
    this.output.write(`${plainJson({ error: message, code: codeOf(error) })}\n`);
  }
}

/** Returns the server's error code, or a code of this program where the server sent none. */
function codeOf(error: unknown): string {
  if (error instanceof ApiCallError) return error.code;
  if (error instanceof UnreachableError) return "unreachable";
  return error instanceof UsageError ? "usage_error" : "failed";
}
