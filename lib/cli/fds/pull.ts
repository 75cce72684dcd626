import { DEFAULT_FILE } from "../../api/schemas.ts";
import { plainText } from "../../util/plain-text.ts";
import { Failure } from "../program.ts";
import { type Started, startDownloads } from "../rest/follow.ts";
import { STANDARD_OUTPUT } from "../rest/local-path.ts";
import { shortId } from "../terminal/download-listing.ts";
import { ending, NAME_COLUMNS, paint, someOf } from "../terminal/terminal.ts";
import type { Command, CommandContext } from "./command.ts";
import { followToTheEnd } from "./pull-attended.ts";
import { readOutput, save } from "./pull-output.ts";
import { type PullRequests, readRequests } from "./pull-requests.ts";
import { closingLine, printAll, printOne, problemsOf } from "./pull-results.ts";

/** `fds pull` */
export const pull: Command = {
  words: "CLIENT [FILE]",
  count: [0, 2],
  summary: "brings a file to the server, and here with -o",
  flags: {
    output: { type: "string", short: "o" },
    all: { type: "boolean" },
    "if-offline": { type: "string" },
    checksum: { type: "string" },
    "rate-limit": { type: "string" },
  },
  flagsHelp: `  FILE
      relative to a folder that the client serves, or absolute inside one
      (default: ${DEFAULT_FILE})
  --output PATH, -o PATH
      also save the file here, under this name or in this folder; it is fetched on where it
      broke off, verified, and never overwrites another file; - is standard output
  --all
      pull from every client that is connected: fds pull --all [FILE]
  --if-offline wait|fail
      what to do while the client is not connected (default: wait; with --all: leave it out)
  --checksum md5|sha256
      what proves that the file arrived whole (default: md5)
  --rate-limit SIZE
      most bytes a second, such as 2MiB; fds limit changes it while it runs (default: no limit)`,
  notes: `Ctrl-C asks whether to cancel the download; a second one leaves it running. It goes on at the
server whatever becomes of this program, and so does the watching when the server is restarted.
In a pipe: status, client, download, size, checksum and where the server saved it, relative to its
folder of downloads, with tabs between.`,
  examples: [
    "pull restaurant-001",
    "pull restaurant-001 logs/today.log -o ./today.log",
    "pull restaurant-001 logs/today.log -o - | grep ERROR",
    "pull --all --json",
  ],
  run: (context) => (context.values["all"] ? pullFromAll(context) : pullFromOne(context)),
};

async function pullFromOne(context: CommandContext): Promise<void> {
  const { requests } = await readRequests(context);
  const path = await readOutput(context, requests[0]?.file_path ?? "");
  const { records, refused } = await pullThem(context, requests);
  const completed = records.find(({ status }) => status === "completed");
  if (path !== null && completed) await save(context, completed, path);
  // what goes to standard output is the file alone
  const { out, err } = context;
  const told = { ...context, out: path === STANDARD_OUTPUT ? err : out };
  printOne(told, records, completed && path !== STANDARD_OUTPUT ? path : null);
  const [problem] = problemsOf({ records, refused, leftOut: [] });
  if (problem === undefined) return;
  throw refused[0]?.error.about(context.words[0] ?? "") ?? new Failure(problem);
}

async function pullFromAll(context: CommandContext): Promise<void> {
  const { requests, leftOut } = await readRequests(context);
  if (leftOut.length > 0) sayLeftOut(context, leftOut, requests.length);
  const results = { ...(await pullThem(context, requests)), leftOut };
  printAll(context, results);
  if (problemsOf(results).length > 0) throw new Failure(closingLine(results, context));
}

/** Asks for the files, and follows the downloads to their ends. */
async function pullThem(context: CommandContext, requests: PullRequests["requests"]) {
  const { started, refused } = await startDownloads(
    context.api,
    requests,
    context.interruptions.signal,
  );
  for (const one of started) remark(context, one);
  const records = started.length > 0 ? await followToTheEnd(context, started) : [];
  return { records, refused };
}

function sayLeftOut({ err }: CommandContext, leftOut: string[], asked: number): void {
  const [are, them] = leftOut.length === 1 ? ["is", "it"] : ["are", "them"];
  const count = `${leftOut.length} of ${leftOut.length + asked} clients ${are} not connected`;
  const text = `${count} and left out: ${someOf(leftOut)} (--if-offline wait waits for ${them})`;
  err.write(`${paint(text, "yellow", err.colour)}\n`);
}

/**
 * Says under which id a download goes on, whatever becomes of this program. At a terminal the bars of
 * many say enough, and so does Ctrl-C.
 */
function remark({ err, values }: CommandContext, { clientId, downloadId, message }: Started): void {
  if (err.live && values["all"]) return;
  const id = err.live ? shortId(downloadId) : downloadId;
  const name = err.live ? ending(clientId, NAME_COLUMNS) : clientId;
  const text = `${name}  ${id}  ${plainText(message)}`;
  const line = err.live ? Bun.sliceAnsi(text, 0, err.columns(), "…") : text;
  err.write(`${paint(line, "dim", err.colour)}\n`);
}
