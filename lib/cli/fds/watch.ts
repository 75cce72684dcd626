import { hasEnded } from "../../api/has-ended.ts";
import type { ChangeEvent } from "../../api/jobs.ts";
import type { ClientRecord, DownloadRecord } from "../../api/schemas.ts";
import { plainJson } from "../../util/plain-text.ts";
import type { ApiClient } from "../rest/api-client.ts";
import { JOB_COLUMNS } from "../terminal/job-listing.ts";
import { CLIENT_COLUMNS, clientProblemOf } from "../terminal/client-listing.ts";
import { DOWNLOAD_FIELDS, LIVE_DOWNLOAD_COLUMNS, problemOf } from "../terminal/download-listing.ts";
import { listingLines, listingTable } from "../terminal/listing.ts";
import { Interrupted } from "../program.ts";
import { paint, type Terminal } from "../terminal/terminal.ts";
import type { Command, CommandContext } from "./command.ts";

/** Time between two redraws of the screen, in ms. */
const INTERVAL = 250;

/** The number of lines on the screen for titles and gaps, which show no client or download. */
const FRAME_LINES = 6;

const ENTER_SCREEN = "\x1b[?1049h\x1b[?25l";
const LEAVE_SCREEN = "\x1b[?25h\x1b[?1049l";

/** The command `fds watch`, which shows clients and downloads live. */
export const watch: Command = {
  words: "",
  wordCount: [0, 0],
  summary: "a live table of clients and downloads, until Ctrl-C",
  flags: {},
  notes: `In a pipe, a line for each change: "client", "job" or "download" and the fields as "fds clients",
"fds jobs" and "fds downloads" have them, with tabs between. With --json, an object for each change:
{"event": "download", "data": {…}}.`,
  examples: ["watch", "watch --json | jq 'select(.data.status == \"failed\")'"],
  async run(context) {
    try {
      await (context.out.live && !context.json ? drawAll(context) : writeChanges(context));
    } catch (error) {
      // Ctrl-C is the normal way to end `fds watch`.
      if (!(error instanceof Interrupted && error.signal === "SIGINT")) throw error;
    }
  },
};

/** The maximum number of ended downloads on the screen, and of downloads that are loaded at the start. */
const MAX_ENDED = 200;

/** The clients and downloads on the screen, updated by each change. */
class View {
  readonly #clients = new Map<string, ClientRecord>();
  readonly #unended = new Map<string, DownloadRecord>();
  readonly #ended = new Map<string, DownloadRecord>();

  /** All clients: first the connected ones, then the others, each group sorted by id. */
  get clients(): ClientRecord[] {
    const byId = [...this.#clients.values()].toSorted((a, b) =>
      a.client_id < b.client_id ? -1 : 1,
    );
    return byId.toSorted((a, b) => Number(b.connected) - Number(a.connected));
  }

  /** Running downloads, then queued ones, then ended ones, each group newest first. */
  get downloads(): DownloadRecord[] {
    const isQueued = ({ status }: DownloadRecord) => status === "queued";
    const unended = newestFirst(this.#unended);
    const moving = unended.filter((record) => !isQueued(record));
    return [...moving, ...unended.filter(isQueued), ...newestFirst(this.#ended)];
  }

  apply({ event, data }: ChangeEvent): void {
    if (event === "client") this.#clients.set(data.client_id, data);
    else if (event === "download") this.#applyDownload(data);
  }

  #applyDownload(record: DownloadRecord): void {
    const id = record.download_id;
    if (!hasEnded(record)) {
      this.#unended.set(id, record);
      return;
    }
    this.#unended.delete(id);
    this.#ended.set(id, record);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest);
  }
}

function newestFirst(records: Map<string, DownloadRecord>): DownloadRecord[] {
  return [...records.values()].toSorted((a, b) => (a.download_id > b.download_id ? -1 : 1));
}

/**
 * Yields the latest downloads as they are now, then all that {@link ApiClient.changes} yields: the present
 * clients, jobs and unended downloads, then each change.
 * @param onUnreachable called after each failed try to reach the server
 */
async function* changes(
  api: ApiClient,
  signal: AbortSignal,
  onUnreachable?: () => void,
): AsyncGenerator<ChangeEvent> {
  let isFirst = true;
  for await (const change of api.changes({ signal, patience: Infinity, onUnreachable })) {
    // The downloads are listed only after the first event. In the other order, a change between the list and
    // the start of the stream would be missed.
    if (isFirst) {
      const { downloads } = await api.downloads({ limit: String(MAX_ENDED) }, signal);
      for (const data of downloads.toReversed()) yield { event: "download", data };
    }
    isFirst = false;
    yield change;
  }
}

async function drawAll({ api, out, interruptions }: CommandContext): Promise<void> {
  const { signal } = interruptions;
  const view = new View();
  let isUnreachable = false;
  await api.health(signal);
  const leave = () => out.write(LEAVE_SCREEN);
  out.write(ENTER_SCREEN);
  process.once("exit", leave);
  const timer = setInterval(() => draw(screenOf(view, isUnreachable, out), out), INTERVAL);
  try {
    for await (const change of changes(api, signal, () => (isUnreachable = true))) {
      isUnreachable = false;
      view.apply(change);
    }
  } finally {
    clearInterval(timer);
    process.off("exit", leave);
    leave();
  }
}

/** Returns the lines of the screen. Clients take at most half of the rows. */
function screenOf(
  { clients, downloads }: View,
  isUnreachable: boolean,
  terminal: Terminal,
): string[] {
  const { colour } = terminal;
  const columns = terminal.columns();
  const rows = Math.max(2, terminal.rows() - FRAME_LINES);
  const half = Math.max(1, Math.floor(rows / 2));
  const shownClients = clients.slice(0, half);
  const clientLines = listingTable(
    CLIENT_COLUMNS,
    shownClients,
    columns,
    colour,
    clientProblemOf,
  ).slice(0, half + 1);
  const room = Math.max(1, rows + 1 - clientLines.length);
  const [titles = "", ...shownDownloads] = listingTable(
    LIVE_DOWNLOAD_COLUMNS,
    downloads.slice(0, room),
    columns,
    colour,
    problemOf,
  );
  const connected = clients.filter((one) => one.connected).length;
  const active = downloads.filter((one) => !hasEnded(one)).length;
  const state = isUnreachable
    ? paint("no answer, trying again", "red", colour)
    : paint(new Date().toLocaleTimeString("sv-SE"), "dim", colour);
  const title = paint(`${connected} of ${clients.length} clients connected`, "bold", colour);
  return [
    `${state}  ${title}, ${active} under way`,
    "",
    ...clientLines,
    "",
    titles,
    ...shownDownloads.slice(0, room),
  ].map((line) => Bun.sliceAnsi(line, 0, columns));
}

/** Redraws the screen in one write, which avoids flicker. */
function draw(lines: string[], terminal: Terminal): void {
  terminal.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
}

/**
 * Prints a line for each record that {@link changes} yields: first the present clients, jobs and downloads,
 * then each change.
 */
async function writeChanges({ api, out, json, interruptions }: CommandContext): Promise<void> {
  const { signal } = interruptions;
  await api.health(signal);
  const written = new Map<string, string>();
  for await (const change of changes(api, signal)) {
    const line = json ? plainJson(change) : `${change.event}\t${fieldsOf(change)}`;
    const id = idOf(change);
    // After a reconnect, the server sends records again. Records that have not changed are skipped.
    if (written.get(id) === line) continue;
    if (change.event === "download" && hasEnded(change.data)) written.delete(id);
    else written.set(id, line);
    out.write(`${line}\n`);
  }
}

function idOf({ event, data }: ChangeEvent): string {
  switch (event) {
    case "client":
      return data.client_id;
    case "download":
      return data.download_id;
    case "job":
      return data.job_id;
  }
}

function fieldsOf({ event, data }: ChangeEvent): string {
  switch (event) {
    case "client":
      return listingLines(CLIENT_COLUMNS, [data]).join();
    case "download":
      return listingLines(DOWNLOAD_FIELDS, [data]).join();
    case "job":
      return listingLines(JOB_COLUMNS, [data]).join();
  }
}
