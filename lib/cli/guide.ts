import { parseFlags } from "../util/flags.ts";
import { plainText } from "../util/plain-text.ts";
import {
  CONNECTION_FLAGS,
  CONNECTION_FLAGS_HELP,
  connectionWarnings,
  namesServer,
  readConnection,
} from "./rest/connection.ts";
import { runMenu } from "./guide/menu.ts";
import { findTarget, type TargetOptions } from "./guide/target.ts";
import { Input } from "./terminal/input.ts";
import { DEMOS } from "./rest/kept-demo.ts";
import { Interrupted, runProgram } from "./program.ts";
import { downloadsDirOf } from "./saved-path.ts";
import { terminalOf } from "./terminal/terminal.ts";
import { wrapHelp } from "./terminal/wrap.ts";
import { stderr, stdout } from "../util/output.ts";

const HELP = `Usage: bun run guide [flags]

A menu to try the system with: pull files, look at them, verify them. Choices can also come from a
pipe, a line each: printf '1\\n6\\n8\\n12\\n' | bun run guide

Where the server below does not answer, a running "bun run demo --keep" is used.

${CONNECTION_FLAGS_HELP}
  --help, -h
      show this
`;

await runProgram(async (signal) => {
  const { values } = parseFlags(process.argv.slice(2), CONNECTION_FLAGS);
  if (values["help"]) return void stdout.write(wrapHelp(HELP));
  const connection = readConnection(values, process.env);
  for (const warning of await connectionWarnings(connection, process.env)) {
    stderr.write(`${plainText(warning)}\n`);
  }
  const out = terminalOf(stdout, process.env);
  const options: TargetOptions = {
    connection,
    isNamed: namesServer(values, process.env),
    downloadsDir: downloadsDirOf(process.env),
    demos: DEMOS,
  };
  using input = new Input(process.stdin, out);
  try {
    await runMenu({
      findTarget: () => findTarget(options, signal),
      demos: DEMOS,
      input,
      out,
      signal,
    });
  } catch (error) {
    // Ctrl-C is a normal way to leave the menu.
    if (!(error instanceof Interrupted && error.signal === "SIGINT")) throw error;
  }
  out.write("\nBye. Downloads under way go on at the server.\n");
});
