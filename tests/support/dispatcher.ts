import { afterEach, beforeEach, jest } from "bun:test";
import { Dispatcher } from "../../lib/server/downloads/dispatcher.ts";
import { newDownload } from "../../lib/server/download.ts";
import { Logger } from "../../lib/util/logger.ts";
import type { Waiting } from "../../lib/server/database/repository.ts";
import type { ServerRows } from "../../lib/server/servers/rows.ts";
import { claim, NOW, order } from "./downloads.ts";

/*
 * A dispatcher on a clock that tests move, without a database: what waits, and what others do meanwhile, is
 * given by the tests.
 */

/** What the dispatcher finds. */
export const given = {} as {
  /** What waits: the ids of each client's downloads, oldest first. */
  queue: Record<string, string[]>;
  freeSlots: number;
  freeBytes: number;
  /** When all that waits becomes due, ms since 1970; null: it is, and the dispatcher is told so. */
  dueAt: number | null;
  /** How many downloads of a job may run. */
  most: Record<string, number>;
  /** What reading the queue waits for, or fails with. */
  reading: Promise<void>;
  /** What a claim waits for. */
  claims: Promise<void>;
  /** How long the event loop is held up by a claim, in ms. */
  claimTakes: number;
  /** Whether others have what a line may have, though it was not counted. */
  isTaken: (line: Waiting["line"]) => boolean;
  /** How often a claim gave nothing for that. */
  refusals: number;
  /** How many downloads of a client run. */
  running: Record<string, number>;
  /** What was started, none of which ends. */
  runs: Waiting[];
  /** What other servers let wait, up to a revision; null: this is the only server. */
  elsewhere: { waiting: Waiting[]; upTo: number } | null;
};

export let connected: Set<string>;
/** The ids of what was started. */
export let started: string[];
/** How often the queue was read. */
export let looks: number;
export let log: string[];
export let dispatcher: Dispatcher;

/** The real setImmediate, as tests put fake timers in its place. */
export const atNextRound = setImmediate;

/** Rounds of the event loop: more than a test has steps, each of which may wait for the next round. */
const ROUNDS = 30;

/** Lets everything happen that waits for no clock. */
export async function settle(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    await new Promise((resolve) => void atNextRound(resolve));
  }
}

/** The line of a download: `a1` belongs to none, `x.a1` to the job x. */
const lineOf = (id: string) => (id.includes(".") ? id.split(".")[0]! : null);

/** The clients and lines of all that waits. */
export function waiting(): Waiting[] {
  return Object.entries(given.queue).flatMap(([clientId, ids]) =>
    ids.map((id) => ({ clientId, line: lineOf(id) })),
  );
}

/** Tells of all that waits, and lets come of it what will. */
export async function ask(): Promise<void> {
  for (const { clientId, line } of waiting()) {
    const download = newDownload("", order(clientId, "a.bin", { jobId: line }), Date.now());
    dispatcher.queued(download);
  }
  await settle();
}

/** Wakes the dispatcher, and lets come of it what will. */
export async function wake(at?: number): Promise<void> {
  dispatcher.wake(at);
  await settle();
}

/** Lets a time pass, in ms. */
export async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  await settle();
}

/** Makes a dispatcher for each test of a file. */
export function useDispatcher(): void {
  beforeEach(() => {
    jest.useFakeTimers();
    jest.setSystemTime(NOW);
    given.queue = {};
    connected = new Set(["a", "b", "c"]);
    given.freeSlots = 100;
    given.freeBytes = 1000;
    given.dueAt = null;
    given.most = {};
    given.reading = given.claims = Promise.resolve();
    given.claimTakes = 0;
    given.isTaken = () => false;
    given.refusals = 0;
    started = [];
    given.running = {};
    given.runs = [];
    looks = 0;
    given.elsewhere = null;
    log = [];
    dispatcher = new Dispatcher({
      repository: {
        async waitingFor(clientId) {
          return waiting().filter((one) => one.clientId === clientId);
        },
        async dueSince(after, now) {
          looks++;
          await given.reading;
          const isDue = given.dueAt !== null && given.dueAt > after && given.dueAt <= now;
          return isDue ? waiting() : [];
        },
        async claimDownload(clientId, line) {
          await given.claims;
          if (given.claimTakes > 0) jest.advanceTimersByTime(given.claimTakes);
          if (given.isTaken(line)) {
            given.refusals++;
            return null;
          }
          const at = (given.queue[clientId] ?? []).findIndex((id) => lineOf(id) === line);
          const [id] = at < 0 ? [] : given.queue[clientId]!.splice(at, 1);
          if (id === undefined) return null;
          given.freeSlots--;
          given.runs.push({ clientId, line });
          return claim(newDownload(id, order(clientId, "a.bin", { jobId: line }), NOW), NOW);
        },
        get servers() {
          return (
            given.elsewhere &&
            ({ waitingSince: async () => given.elsewhere } as unknown as ServerRows)
          );
        },
        countActiveLines: async () =>
          [
            { clientId: "others", line: null, active: 100 - given.freeSlots - given.runs.length },
            ...given.runs.map((one) => ({ ...one, active: 1 })),
            ...Object.entries(given.running).map(([clientId, active]) => {
              return { clientId, line: null, active };
            }),
          ].map((one) => ({ ...one, own: one.active })),
        nextDueAt: async (now) => (given.dueAt !== null && given.dueAt > now ? given.dueAt : null),
      },
      storage: { freeSpace: async () => ({ free: given.freeBytes, total: 2000 }) },
      limits: { total: 100, perClient: 20 },
      mostOf: async (jobId) => given.most[jobId] ?? Infinity,
      runningOf: (clientId) => given.running[clientId] ?? 0,
      minFreeDisk: 500,
      isConnected: (clientId) => connected.has(clientId),
      start: ({ downloadId }) => started.push(downloadId),
      logger: new Logger({ level: "info", format: "json", write: (line) => log.push(line) }),
    });
  });

  afterEach(async () => {
    await dispatcher.stop();
    jest.useRealTimers();
  });
}
