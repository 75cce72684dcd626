import * as z from "zod";
import type { NewSchedule, SchedulePreview, ScheduleRecord } from "../../api/schedules.ts";
import { readSetting, UsageError } from "../../util/flags.ts";
import { type Kind, wholeNumber } from "../../util/kinds.ts";
import { CLIENT_ID } from "../client-id.ts";
import { fieldLines } from "../terminal/listing.ts";
import { previewLines, SCHEDULE_COLUMNS, scheduleFields } from "../terminal/schedule-listing.ts";
import { paint } from "../terminal/terminal.ts";
import { type Command, type CommandContext, print, readFlag, requireOwnFlags } from "./command.ts";
import { printDone } from "./listing.ts";
import { CREATE_FLAGS, CREATE_FLAGS_HELP, readSchedule } from "./schedule-order.ts";

const COUNT = wholeNumber(1, 100);
const LOCAL_TIME: Kind<string> = {
  schema: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?$/),
  expected: "a local time such as 2026-11-30T02:30",
};

type Action = (context: CommandContext, name: string) => Promise<void>;

const ACTIONS: Record<string, Action> = {
  create,
  preview,
  run,
  pause: (context, name) => setPaused(context, name, true),
  resume: (context, name) => setPaused(context, name, false),
  delete: remove,
};

const NAMES = Object.keys(ACTIONS).join(", ");

/** The flags of each action. All other actions have none. */
const FLAGS_OF: Record<string, readonly string[]> = {
  create: [...Object.keys(CREATE_FLAGS), "dry-run", "count"],
  preview: ["count"],
  run: ["client", "at"],
};

/** The command `fds schedule`, which shows, creates or changes a schedule. */
export const schedule: Command = {
  words: "NAME […]",
  usage: "NAME [preview|run|pause|resume|delete | create CRON [FILE | PATTERN…]]",
  wordCount: [1, Infinity],
  summary: "shows, creates, runs, pauses, … a schedule",
  flags: {
    ...CREATE_FLAGS,
    "dry-run": { type: "boolean" },
    count: { type: "string" },
    client: { type: "string", multiple: true },
    at: { type: "string" },
  },
  flagsHelp: `${CREATE_FLAGS_HELP}
  --dry-run
      of create: make nothing, only show when it would ask
  --count N
      of preview and --dry-run: so many times in each zone (default: 5)
  --client CLIENT (repeatable)
      of run: ask only these
  --at TIME
      of run: ask again for this time of it, with its dates, such as 2026-11-30T02:30 (default: now)`,
  notes: `CRON has five fields, minute, hour, day, month and day of the week, or is @daily and the like. A
fixed time runs exactly once a day, also where clocks go forward or back. {date} and {date-1d} in FILE are
those of the time at the client.`,
  examples: [
    `schedule nightly create "30 2 * * *" "sales-{date-1d}.csv" --due 04:00 --keep-days 90`,
    `schedule nightly create "30 2 * * mon-fri" --time-zone Europe/Berlin --dry-run`,
    "schedule nightly",
    "schedule nightly run --client restaurant-001",
    "schedule nightly run --client restaurant-001 --at 2026-11-30T02:30",
    "schedule nightly pause",
  ],
  async run(context) {
    const [name = "", action, ...others] = context.words;
    const act = action === undefined ? show : ACTIONS[action];
    if (!act) {
      const expected = `expected fds schedule NAME, or one of ${NAMES} behind it`;
      throw new UsageError(`unknown word "${action}", ${expected}`);
    }
    requireOwnFlags(context, {
      flags: schedule.flags,
      own: FLAGS_OF[action ?? ""] ?? [],
      action: `fds schedule NAME${action === undefined ? "" : ` ${action}`}`,
    });
    if (action !== "create" && others.length > 0) {
      throw new UsageError(`unexpected word "${others[0]}", expected fds schedule NAME ${action}`);
    }
    return act(context, name);
  },
};

async function show(context: CommandContext, name: string): Promise<void> {
  const { api, interruptions } = context;
  const { signal } = interruptions;
  const record = await api.schedule(name, signal);
  const next = await api.previewSchedule(name, { count: "2" }, signal);
  print(context, {
    value: record,
    shown: (coloured) => scheduleFields(record, next, coloured),
    raw: () => fieldLines({ ...record }),
  });
}

async function create(context: CommandContext, name: string): Promise<void> {
  const newSchedule = readSchedule(context, name);
  if (context.values["dry-run"] === true) return printDryRun(context, newSchedule);
  const record = await context.api.createSchedule(newSchedule, context.interruptions.signal);
  printChange(context, record, record.paused ? "is made, and waits" : "is made");
}

/** Shows the times at which a schedule would run next, without creating the schedule. */
async function printDryRun(context: CommandContext, newSchedule: NewSchedule): Promise<void> {
  const { cron, time_zone, job } = newSchedule;
  const count = readFlag(context, "count", COUNT);
  const body = { cron, time_zone, clients: job.clients, count };
  printTimes(context, await context.api.previewTimes(body, context.interruptions.signal));
}

async function preview(context: CommandContext, name: string): Promise<void> {
  const count = readFlag(context, "count", COUNT);
  const query = count === undefined ? {} : { count: String(count) };
  printTimes(context, await context.api.previewSchedule(name, query, context.interruptions.signal));
}

function printTimes(context: CommandContext, next: SchedulePreview): void {
  print(context, {
    value: next,
    shown: () => previewLines(next),
    raw: () =>
      next.zones.flatMap(({ time_zone, times }) =>
        times.map((time) => [time_zone, time.scheduled_local, time.scheduled_at].join("\t")),
      ),
  });
}

async function run(context: CommandContext, name: string): Promise<void> {
  const client = [context.values["client"] ?? []]
    .flat()
    .map((text) =>
      readSetting({ source: "--client", text: String(text) }, CLIENT_ID.schema, CLIENT_ID.expected),
    );
  const at = readFlag(context, "at", LOCAL_TIME);
  const body = {
    ...(client.length > 0 && { client_ids: client }),
    ...(at !== undefined && { scheduled_local: at }),
  };
  const answer = await context.api.runSchedule(name, body, context.interruptions.signal);
  print(context, {
    value: answer,
    shown: (coloured) =>
      answer.jobs.map(({ job_id, time_zone, total }) => {
        const clients = total === 1 ? "1 client" : `${total} clients`;
        const tick = paint("✓", "green", coloured);
        return `${tick} job ${job_id} asks ${clients} in ${time_zone}; fds deliveries ${name}`;
      }),
    raw: () => answer.jobs.map(({ job_id }) => job_id),
  });
}

async function setPaused(context: CommandContext, name: string, paused: boolean): Promise<void> {
  const { signal } = context.interruptions;
  const record = await context.api.changeSchedule(name, { paused }, signal);
  printChange(context, record, paused ? "is paused" : "goes on");
}

async function remove(context: CommandContext, name: string): Promise<void> {
  const record = await context.api.deleteSchedule(name, context.interruptions.signal);
  printChange(context, record, "is deleted, its jobs and downloads stay");
}

function printChange(context: CommandContext, record: ScheduleRecord, what: string): void {
  printDone(context, record, SCHEDULE_COLUMNS, `${record.name} ${what}`);
}
