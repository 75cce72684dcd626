import type { ClientRecord, DownloadRecord } from "../../api/schemas.ts";
import { type ApiClient, hasEnded, UnreachableError } from "../api-client.ts";
import { CLIENT_COLUMNS } from "../client-listing.ts";
import { DOWNLOAD_COLUMNS, LIVE_DOWNLOAD_COLUMNS } from "../download-listing.ts";
import { listingLines, listingTable } from "../listing.ts";
import { pause } from "../pause.ts";
import { Interrupted } from "../program.ts";
import { paint, type Terminal } from "../terminal.ts";
import type { Command, CommandContext } from "./command.ts";

/** Between two looks, in ms. */
const INTERVAL = 500;

/** Lines of the screen that hold no client and no download. */
const FRAME_LINES = 6;

const ENTER_SCREEN = "\x1b[?1049h\x1b[?25l";
const LEAVE_SCREEN = "\x1b[?25h\x1b[?1049l";

/** `fds watch` */
export const watch: Command = {
  words: "",
  count: [0, 0],
  summary: "a live table of clients and downloads, until Ctrl-C",
  flags: {},
  notes: `In a pipe, a line for each change: "client" or "download" and the fields as "fds clients" and
"fds downloads" have them, with tabs between. With --json, an object for each change:
{"event": "download", "data": {…}}.`,
  examples: ["watch", "watch --json | jq 'select(.data.status == \"failed\")'"],
  async run(context) {
    try {
      await (context.out.live && !context.json ? drawAll(context) : writeChanges(context));
    } catch (error) {
      // it has no other end: what was asked is done
      if (!(error instanceof Interrupted && error.signal === "SIGINT")) throw error;
    }
  },
};

/** What there is to see at a moment. */
interface View {
  clients: ClientRecord[];
  /** Those under way first, then the newest. */
  downloads: DownloadRecord[];
}

/** @param limit most downloads of each kind */
async function look(api: ApiClient, limit: number, signal: AbortSignal): Promise<View> {
  const list = async (status?: DownloadRecord["status"]) =>
    (await api.downloads({ ...(status && { status }), limit: String(limit) }, signal)).downloads;
  const [clients, running, verifying, latest] = await Promise.all([
    api.clients(signal),
    list("downloading"),
    list("verifying"),
    list(),
  ]);
  const byId = new Map([...running, ...verifying, ...latest].map((one) => [one.download_id, one]));
  const downloads = [...byId.values()];
  return {
    clients,
    downloads: [...downloads.filter((one) => !hasEnded(one)), ...downloads.filter(hasEnded)],
  };
}

async function drawAll({ api, out, interruptions }: CommandContext): Promise<void> {
  const { signal } = interruptions;
  let view = await look(api, out.rows(), signal);
  const leave = () => out.write(LEAVE_SCREEN);
  out.write(ENTER_SCREEN);
  process.once("exit", leave);
  try {
    for (let isAway = false; ;) {
      draw(screenOf(view, isAway, out), out);
      await pause(INTERVAL, signal);
      try {
        view = await look(api, out.rows(), signal);
        isAway = false;
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        isAway = true;
      }
    }
  } finally {
    process.off("exit", leave);
    leave();
  }
}

/** The lines of the screen; the clients have at most half of it. */
function screenOf({ clients, downloads }: View, isAway: boolean, terminal: Terminal): string[] {
  const { colour } = terminal;
  const columns = terminal.columns();
  const rows = Math.max(2, terminal.rows() - FRAME_LINES);
  const shownClients = clients.slice(0, Math.max(1, Math.floor(rows / 2)));
  const shownDownloads = downloads.slice(0, Math.max(1, rows - shownClients.length));
  const connected = clients.filter((one) => one.connected).length;
  const active = downloads.filter((one) => !hasEnded(one)).length;
  const state = isAway
    ? paint("no answer, trying again", "red", colour)
    : paint(new Date().toLocaleTimeString("sv-SE"), "dim", colour);
  const title = paint(`${connected} of ${clients.length} clients connected`, "bold", colour);
  return [
    `${state}  ${title}, ${active} under way`,
    "",
    ...listingTable(CLIENT_COLUMNS, shownClients, columns, colour),
    "",
    ...listingTable(LIVE_DOWNLOAD_COLUMNS, shownDownloads, columns, colour),
  ].map((line) => Bun.sliceAnsi(line, 0, columns));
}

/** Replaces what is on the screen without a flicker. */
function draw(lines: string[], terminal: Terminal): void {
  terminal.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
}

/** Downloads that a pipe is told about at once: more than can run in one interval. */
const CHANGES_LIMIT = 200;

/** Writes what is there, then each change, a line each. */
async function writeChanges({ api, out, json, interruptions }: CommandContext): Promise<void> {
  const { signal } = interruptions;
  const written = new Map<string, string>();
  const write = (event: "client" | "download", id: string, data: object, fields: string) => {
    const line = json ? JSON.stringify({ event, data }) : `${event}\t${fields}`;
    if (written.get(id) === line) return;
    written.set(id, line);
    out.write(`${line}\n`);
  };
  for (let isFirst = true; ; isFirst = false) {
    try {
      const view = await look(api, CHANGES_LIMIT, signal);
      for (const one of view.clients) {
        write("client", one.client_id, one, listingLines(CLIENT_COLUMNS, [one]).join());
      }
      for (const one of view.downloads.toReversed()) {
        write("download", one.download_id, one, listingLines(DOWNLOAD_COLUMNS, [one]).join());
      }
    } catch (error) {
      if (isFirst || !(error instanceof UnreachableError)) throw error;
    }
    await pause(INTERVAL, signal);
  }
}
