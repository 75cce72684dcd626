import { CHECKSUM_ALGORITHMS, digestOf } from "../../api/checksums.ts";
import {
  DEFAULT_FILE,
  type DownloadRecord,
  MIN_RATE_LIMIT,
  NewDownload,
} from "../../api/schemas.ts";
import { readSetting, UsageError } from "../../util/flags.ts";
import { plainText } from "../../util/plain-text.ts";
import { type Kind, oneOf, size } from "../../util/settings.ts";
import { ApiCallError, UnreachableError } from "../rest/api-client.ts";
import { CLIENT_ID } from "../client-id.ts";
import { shortId } from "../terminal/download-listing.ts";
import { follow, PATIENCE_MS, type Started, startDownloads } from "../rest/follow.ts";
import { Input } from "../terminal/input.ts";
import { tabbed } from "../terminal/listing.ts";
import { Failure, Interrupted } from "../program.ts";
import { reasonOf, resultLines } from "../terminal/pull-result.ts";
import { STANDARD_OUTPUT } from "../rest/local-path.ts";
import { ending, NAME_COLUMNS, paint } from "../terminal/terminal.ts";
import { type Command, type CommandContext, print, readFlag } from "./command.ts";
import { readOutput, save } from "./pull-output.ts";

/** Flags that go into the request as they are: name of the flag and of the field. */
const REQUEST_FLAGS = {
  "if-offline": { field: "if_offline", kind: oneOf(["wait", "fail"]) },
  checksum: { field: "checksum", kind: oneOf(CHECKSUM_ALGORITHMS) },
  "rate-limit": { field: "rate_limit", kind: size(MIN_RATE_LIMIT) },
} satisfies Record<string, { field: keyof NewDownload; kind: Kind<string | number> }>;

/** `fds pull` */
export const pull: Command = {
  words: "CLIENT [FILE]",
  count: [0, 2],
  summary: "brings a file from a client to the server, and here where -o says so",
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
      what to do while the client is not connected (default: wait)
  --checksum md5|sha256
      what proves that the file arrived whole (default: md5)
  --rate-limit SIZE
      most bytes a second, such as 2MiB; fds limit changes it while it runs (default: no limit)`,
  notes: `Ctrl-C asks whether to cancel the download; a second one leaves it running. It goes on at the
server whatever becomes of this program, and so does the watching when the server is restarted.
In a pipe: status, client, download, size, checksum and where the server saved it, with tabs between.`,
  examples: [
    "pull restaurant-001",
    "pull restaurant-001 logs/today.log -o ./today.log",
    "pull restaurant-001 logs/today.log -o - | grep ERROR",
    "pull --all --json",
  ],
  async run(context) {
    const requests = await readRequests(context);
    const path = await readOutput(context, requests[0]?.file_path ?? "");
    const { started, refused } = await startDownloads(context.api, requests);
    for (const one of started) remark(context, one);
    const records = started.length > 0 ? await followToTheEnd(context, started) : [];
    const completed = records.find(({ status }) => status === "completed");
    if (path !== null && completed) await save(context, completed, path);
    // what goes to standard output is the file alone
    const { out, err } = context;
    const told = { ...context, out: path === STANDARD_OUTPUT ? err : out };
    printResult(told, records, completed && path !== STANDARD_OUTPUT ? path : null);
    const problems = [
      ...refused.map(({ clientId, error }) => `${clientId}: ${error}`),
      ...records
        .filter(({ status }) => status !== "completed")
        .map((record) => `${record.client_id}: ${reasonOf(record)}`),
    ];
    if (problems.length > 0) throw new Failure(problems.join("; "));
  },
};

async function readRequests(context: CommandContext) {
  const { api, words, values, interruptions } = context;
  const [client, file] = values["all"] ? [undefined, words[0]] : words;
  const file_path = file === undefined ? DEFAULT_FILE : readFile(file);
  const request = (client_id: string): NewDownload => ({
    client_id,
    file_path,
    ...readRequestFlags(context),
  });
  if (!values["all"]) {
    if (client === undefined) {
      throw new UsageError("CLIENT is missing, expected fds pull CLIENT [FILE], or --all");
    }
    return [
      request(
        readSetting({ source: "CLIENT", text: client }, CLIENT_ID.schema, CLIENT_ID.expected),
      ),
    ];
  }
  if (words[1] !== undefined) {
    throw new UsageError(`unexpected word "${words[1]}", expected fds pull --all [FILE]`);
  }
  if (values["output"] !== undefined) {
    throw new UsageError("--output saves one file, expected fds pull CLIENT [FILE] -o PATH");
  }
  const connected = (await api.clients(interruptions.signal)).filter((one) => one.connected);
  if (connected.length > 0) return connected.map(({ client_id }) => request(client_id));
  throw new Failure('start a client, "bun run client --id restaurant-001": none is connected');
}

function readRequestFlags(context: CommandContext): Partial<NewDownload> {
  const given = Object.entries(REQUEST_FLAGS).flatMap(([flag, { field, kind }]) => {
    const value = readFlag<string | number>(context, flag, kind);
    return value === undefined ? [] : [[field, value]];
  });
  return Object.fromEntries(given);
}

function readFile(text: string): string {
  const schema = NewDownload.shape.file_path;
  return readSetting({ source: "FILE", text }, schema, "the path of a file");
}

/** Shows the bars until the end; on Ctrl-C it asks what is to become of the downloads. */
async function followToTheEnd(
  context: CommandContext,
  started: Started[],
): Promise<DownloadRecord[]> {
  try {
    for (;;) {
      const records = await followUntilCtrlC(context, started);
      if (records) return records;
      if (await wantsToCancel(context, started)) await cancelAll(context, started);
    }
  } catch (error) {
    if (error instanceof Interrupted || error instanceof UnreachableError) {
      const ids = started.map(({ downloadId }) => downloadId).join(" ");
      context.err.write(`not cancelled, it goes on at the server: ${ids}\n`);
    }
    throw error;
  }
}

/** @returns null when somebody who can be asked pressed Ctrl-C */
async function followUntilCtrlC(
  { api, err, interactive, interruptions }: CommandContext,
  started: Started[],
): Promise<DownloadRecord[] | null> {
  const pressed = new AbortController();
  using _ = interactive
    ? interruptions.takeOverCtrlC(() => pressed.abort(new Interrupted("SIGINT")))
    : null;
  const signal = AbortSignal.any([interruptions.signal, pressed.signal]);
  try {
    return await follow(api, started, err, { signal, patience: PATIENCE_MS });
  } catch (error) {
    if (error !== pressed.signal.reason) throw error;
    return null;
  }
}

async function wantsToCancel(
  { err, interruptions }: CommandContext,
  { length }: Started[],
): Promise<boolean> {
  using input = new Input(process.stdin, err);
  const what = length === 1 ? "the download" : `the ${length} downloads`;
  const question = `\nCancel ${what}? Another Ctrl-C leaves, and lets it go on`;
  return await input.confirm(question, interruptions.signal);
}

async function cancelAll({ api }: CommandContext, started: Started[]): Promise<void> {
  for (const { downloadId } of started) {
    try {
      await api.cancel(downloadId);
    } catch (error) {
      const hasEnded = error instanceof ApiCallError && error.code === "download_already_ended";
      if (!hasEnded) throw error;
    }
  }
}

function printResult(
  context: CommandContext,
  records: DownloadRecord[],
  path: string | null,
): void {
  const [only] = records;
  const value = context.values["all"]
    ? { downloads: records }
    : only && { ...only, ...(path !== null && { local_path: path }) };
  if (value === undefined) return;
  print(context, {
    value,
    shown: (coloured) => [
      ...records
        .filter(({ status }) => status === "completed")
        .flatMap((record) => resultLines(record, coloured)),
      ...(path === null ? [] : [`${paint("✓", "green", coloured)} ${plainText(path)}  verified`]),
    ],
    raw: () =>
      records.map((one) =>
        tabbed([
          one.status,
          one.client_id,
          one.download_id,
          one.total_size,
          digestOf(one),
          one.saved_path,
        ]),
      ),
  });
}

/** Says under which id a download goes on, whatever becomes of this program. */
function remark({ err }: CommandContext, { clientId, downloadId, message }: Started): void {
  const id = err.live ? shortId(downloadId) : downloadId;
  const name = err.live ? ending(clientId, NAME_COLUMNS) : clientId;
  const text = `${name}  ${id}  ${plainText(message)}`;
  const line = err.live ? Bun.sliceAnsi(text, 0, err.columns(), "…") : text;
  err.write(`${paint(line, "dim", err.colour)}\n`);
}
