import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { DeliveryRecord } from "../../api/deliveries.ts";
import type { TestFile } from "../setup/test-files.ts";
import { TEST_FILE_NAME } from "../setup/test-files.ts";
import { type ListingColumn, listingTable } from "../terminal/listing.ts";
import { paint, type StyledText, renderText, type Terminal } from "../terminal/terminal.ts";
import { pause } from "../pause.ts";
import { Failure } from "../program.ts";
import type { ApiClient } from "../rest/api-client.ts";

/** The name of the demo's schedule. */
export const SCHEDULE = "nightly";

/**
 * Time from a night's scheduled time until its deliveries are due. A file that arrives later counts as late.
 */
const DUE_AFTER = "4s";

/** Interval at which deliveries are polled, in ms. */
const POLL_INTERVAL = 100;

/**
 * The shortest duration of one simulated night, in ms. Each night needs a different scheduled local time,
 * which has whole seconds.
 */
const NIGHT_MS = 2_000;

/** The time limit of one simulated night, in ms. */
const NIGHT_TIMEOUT = 60_000;

const NIGHTS = ["all deliver", "one is late", "one does not deliver"] as const;

export interface NightOptions {
  api: ApiClient;
  /** The folder that contains the test files. */
  folder: string;
  files: readonly TestFile[];
  terminal: Terminal;
  signal: AbortSignal;
}

/**
 * Creates a schedule and runs it three times, a few seconds each, in place of three nights. In the second
 * night a file arrives too late, and in the third night a file does not exist.
 * @returns the deliveries of the three nights
 * @throws Failure when a night does not end in time
 */
export async function runNights(options: NightOptions): Promise<DeliveryRecord[]> {
  const { api, files, terminal, signal } = options;
  await api.createSchedule(
    {
      name: SCHEDULE,
      cron: "30 2 * * *",
      due: { after: DUE_AFTER },
      keep: { days: 90 },
      job: { clients: { all: true }, download: { file_path: TEST_FILE_NAME } },
    },
    signal,
  );
  const lateFile = files.at(1);
  const missingFile = files.at(-1);
  for (const [night, what] of NIGHTS.entries()) {
    const absentFile = night === 1 ? lateFile : night === 2 ? missingFile : undefined;
    terminal.write(`${paint(`Night ${night + 1}`, "bold", terminal.colour)}  ${what}\n`);
    await withFileAbsent(options, absentFile, () => runNight(options));
    if (night === 1 && absentFile) await deliverLate(options, absentFile.clientId);
  }
  return (await api.deliveries(SCHEDULE, { limit: "1000" }, signal)).deliveries;
}

/**
 * Renames a test file while a function runs, so that the site does not have the file, and then gives the file
 * its name back. If `file` is undefined, only runs the function.
 */
async function withFileAbsent(
  { folder }: NightOptions,
  file: TestFile | undefined,
  work: () => Promise<void>,
): Promise<void> {
  if (!file) return work();
  const path = join(folder, file.path);
  await rename(path, `${path}.away`);
  try {
    await work();
  } finally {
    await rename(`${path}.away`, path);
  }
}

/** Runs the schedule for all sites, and waits until each delivery has a final status. */
async function runNight({ api, signal }: NightOptions): Promise<void> {
  const { jobs } = await api.runSchedule(SCHEDULE, {}, signal);
  await pause(NIGHT_MS, signal);
  const nights = new Set(jobs.map(({ scheduled_local }) => scheduled_local));
  const isOpen = ({ status }: DeliveryRecord) => status === "expected" || status === "running";
  await waitUntil(signal, async () => {
    const { deliveries } = await api.deliveries(SCHEDULE, { limit: "1000" }, signal);
    return !deliveries.some((one) => nights.has(one.scheduled_local) && isOpen(one));
  });
}

/**
 * Runs the schedule once more for one site, after {@link withFileAbsent} has given the site's file its name
 * back. Waits until the delivery has the status `late`.
 */
async function deliverLate({ api, signal }: NightOptions, clientId: string): Promise<void> {
  const query = { client_id: clientId, limit: "1" };
  const newest = async () => (await api.deliveries(SCHEDULE, query, signal)).deliveries[0];
  const before = await newest();
  if (!before) return;
  const request = { client_ids: [clientId], scheduled_local: before.scheduled_local };
  await api.runSchedule(SCHEDULE, request, signal);
  await waitUntil(signal, async () => (await newest())?.status === "late");
}

async function waitUntil(signal: AbortSignal, check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + NIGHT_TIMEOUT;
  while (!(await check())) {
    if (performance.now() > deadline) {
      throw new Failure(`a night is not over after ${NIGHT_TIMEOUT / 1000} s`);
    }
    await pause(POLL_INTERVAL, signal);
  }
}

/** The mark and the word that the board shows for each final status of a delivery. */
const MARKS: Partial<Record<DeliveryRecord["status"], StyledText>> = {
  received: { text: "✓ received", colour: "green" },
  late: { text: "◷ late", colour: "yellow" },
  missing: { text: "✗ missing", colour: "red" },
};

/**
 * Formats the board as a table for a terminal: a row for each site, a column for each night. The last line
 * names the sites whose file is missing in the last night.
 */
export function boardLines(
  deliveries: readonly DeliveryRecord[],
  terminal: Pick<Terminal, "colour" | "columns" | "live">,
): string[] {
  const nights = [...new Set(deliveries.map(({ scheduled_local }) => scheduled_local))].toSorted();
  const sites = [...new Set(deliveries.map(({ client_id }) => client_id))].toSorted();
  const cellOf = (site: string, night: string): StyledText => {
    const found = deliveries.find((one) => one.client_id === site && one.scheduled_local === night);
    return found ? (MARKS[found.status] ?? found.status) : "";
  };
  const columns = [
    column("site", nights.length, (site) => site),
    ...nights.map((night, index) =>
      column(`night ${index + 1}`, index, (site) => cellOf(site, night)),
    ),
  ];
  const width = terminal.live ? terminal.columns() : Infinity;
  const last = deliveries.filter(({ scheduled_local }) => scheduled_local === nights.at(-1));
  const missing = last.filter(({ status }) => status === "missing");
  const names = missing.map(({ client_id }) => client_id).join(", ");
  const summary = `${missing.length} missing of ${last.length}`;
  return [
    ...listingTable(columns, sites, width, terminal.colour),
    "",
    `${paint(summary, missing.length > 0 ? "red" : "green", terminal.colour)}${names && `  ${names}`}`,
  ];
}

function column(
  title: string,
  importance: number,
  shown: (site: string) => StyledText,
): ListingColumn<string> {
  return { title, importance, shown, raw: (site) => renderText(shown(site), false) };
}
