import { afterEach, beforeEach, jest } from "bun:test";
import { Dispatcher } from "../../lib/server/downloads/dispatcher.ts";
import { newDownload } from "../../lib/server/download.ts";
import { Logger } from "../../lib/util/logger.ts";
import type { Waiting } from "../../lib/server/database/repository.ts";
import type { ServerRows } from "../../lib/server/servers/rows.ts";
import { claim, NOW, order } from "./downloads.ts";

/*
 * A dispatcher on a fake clock, without a database. The tests set the queue, the limits and the downloads of
 * other servers in {@link given}.
 */

/** The state that the dispatcher's dependencies report, set by the tests. */
export const given = {} as {
  /** Ids of the queued downloads of each client, oldest first. */
  queue: Record<string, string[]>;
  freeSlots: number;
  freeBytes: number;
  /**
   * When all queued downloads become due, in ms since 1970. Null: all are due already, and the tests notify
   * the dispatcher of each.
   */
  dueAt: number | null;
  /** The maximum of running downloads of each job, by job id. */
  most: Record<string, number>;
  /** Delays each reading of the queue until this promise settles. A rejection makes the reading fail. */
  reading: Promise<void>;
  /** Delays each claim until this promise resolves. */
  claims: Promise<void>;
  /** How long each claim blocks the event loop, in ms. */
  claimTakes: number;
  /**
   * Reports whether other servers already use all slots of a job (its id), or of downloads without a job
   * (null). A claim of a slot then gives nothing.
   */
  isTaken: (line: Waiting["line"]) => boolean;
  /** How many claims gave nothing because of {@link isTaken}. */
  refusals: number;
  /** The number of running downloads of each client. */
  running: Record<string, number>;
  /** The downloads that were claimed and started. None of them ever ends. */
  runs: Waiting[];
  /**
   * Queued downloads that other servers added, and the revision of the rows up to which this list is
   * complete. Null: this is the only server.
   */
  elsewhere: { waiting: Waiting[]; upTo: number } | null;
};

export let connected: Set<string>;
/** Ids of the started downloads, in order. */
export let started: string[];
/** How often the dispatcher has read the queue for due downloads. */
export let looks: number;
export let log: string[];
export let dispatcher: Dispatcher;

/** The real setImmediate, kept because the tests replace it by a fake timer. */
export const atNextRound = setImmediate;

/** Number of rounds of the event loop in {@link settle}: more than the asynchronous steps of any test. */
const ROUNDS = 30;

/** Waits until the dispatcher has done everything that does not wait for a timer. */
export async function settle(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    await new Promise((resolve) => void atNextRound(resolve));
  }
}

/** Returns the job that a download belongs to, by the download's id: none (null) for `a1`, `x` for `x.a1`. */
const lineOf = (id: string) => (id.includes(".") ? id.split(".")[0]! : null);

/** Returns the client of each queued download, and its line: the id of its job, or null without a job. */
export function waiting(): Waiting[] {
  return Object.entries(given.queue).flatMap(([clientId, ids]) =>
    ids.map((id) => ({ clientId, line: lineOf(id) })),
  );
}

/** Notifies the dispatcher of each queued download, and waits until it has acted. */
export async function ask(): Promise<void> {
  for (const { clientId, line } of waiting()) {
    const download = newDownload("", order(clientId, "a.bin", { jobId: line }), Date.now());
    dispatcher.queued(download);
  }
  await settle();
}

/** Wakes the dispatcher, and waits until it has acted. @param at when to wake, in ms since 1970 */
export async function wake(at?: number): Promise<void> {
  dispatcher.wake(at);
  await settle();
}

/** Moves the fake clock on, in ms, and waits until the dispatcher has acted. */
export async function pass(ms: number): Promise<void> {
  jest.advanceTimersByTime(ms);
  await settle();
}

/** Makes a new dispatcher and a fake clock before each test of a file. */
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
