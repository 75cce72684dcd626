import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { OfflineWatch } from "../../../lib/server/webhooks/offline-watch.ts";
import { Logger } from "../../../lib/util/logger.ts";

/* Which clients are reported as offline, and when, on a fake clock. Two servers share the clients. */

const NOW = 1_700_000_000_000;
const MINUTE = 60_000;
const OFFLINE_AFTER = 15 * MINUTE;

/** The last time at which each client connected, in minutes since the start of the test. */
let connectedAt: Map<string, number>;
/** Clients that are connected to this server. */
let here: Set<string>;
let elsewhere: Set<string>;
/** The reports, in order: the client, and minutes since the start of the test. */
let told: [clientId: string, minute: number][];
let listings: number;
let watch: OfflineWatch;

const minute = () => Math.round((Date.now() - NOW) / MINUTE);

beforeEach(() => {
  jest.useFakeTimers();
  jest.setSystemTime(NOW);
  [connectedAt, here, elsewhere, told] = [new Map(), new Set(), new Set(), []];
  listings = 0;
  watch = new OfflineWatch({
    outbox: {
      clientIsAway: async (clientId, leftAt) => {
        // A client that has connected again after `leftAt` is ignored, as in the database.
        if (timeOf(clientId) <= leftAt) told.push([clientId, minute()]);
      },
    },
    isHere: (clientId) => here.has(clientId),
    isConnected: async (clientId) => here.has(clientId) || elsewhere.has(clientId),
    listOffline: async (after, limit) => {
      if (after === "") listings++;
      const ids = [...connectedAt.keys()].toSorted().filter((id) => id > after);
      const away = ids.filter((id) => !here.has(id) && !elsewhere.has(id));
      return away.slice(0, limit).map((id) => ({ clientId: id, connectedAt: timeOf(id) }));
    },
    offlineAfter: OFFLINE_AFTER,
    onOutboxWritten: () => undefined,
    logger: new Logger({ level: "error", format: "json", write: (line) => expect(line).toBe("") }),
  });
});
afterEach(() => {
  watch.stop();
  jest.useRealTimers();
});

const timeOf = (clientId: string) => NOW + (connectedAt.get(clientId) ?? 0) * MINUTE;

/** Connects a client to a server. */
function comes(clientId: string, server: Set<string>): void {
  connectedAt.set(clientId, minute());
  server.add(clientId);
  if (server === here) watch.clientChanged(clientId);
}

/** Disconnects a client from a server. */
function leaves(clientId: string, server: Set<string>): void {
  server.delete(clientId);
  if (server === here) watch.clientChanged(clientId);
}

async function pass(minutes: number): Promise<void> {
  for (let step = 0; step < minutes * 4; step++) {
    jest.advanceTimersByTime(MINUTE / 4);
    for (let turn = 0; turn < 200; turn++) await Promise.resolve();
  }
}

test("who leaves is told of once, after a while, and once more for each absence", async () => {
  await watch.start();
  comes("site-1", here);
  leaves("site-1", here);
  await pass(14);
  expect(told).toEqual([]);
  await pass(20);
  expect(told).toEqual([["site-1", 15]]);
  comes("site-1", here);
  leaves("site-1", here);
  await pass(20);
  expect(told.map(([id]) => id)).toEqual(["site-1", "site-1"]);
});

test("who is back in time is told of to nobody", async () => {
  await watch.start();
  comes("site-1", here);
  leaves("site-1", here);
  await pass(14);
  comes("site-1", here);
  await pass(10);
  leaves("site-1", here);
  await pass(14);
  comes("site-1", elsewhere);
  await pass(30);
  expect(told).toEqual([]);
});

test("those that were away at the start have all of the time to come back", async () => {
  for (let n = 0; n < 450; n++) connectedAt.set(`site-${n}`, -600);
  await watch.start();
  await pass(10);
  comes("site-7", here);
  await pass(10);
  expect(told.map(([id]) => id).toSorted()).toEqual(
    [...connectedAt.keys()].filter((id) => id !== "site-7").toSorted(),
  );
  await pass(30);
  expect(told).toHaveLength(449);
});

test("who leaves a server that is no more is found by the next listing", async () => {
  await watch.start();
  comes("site-1", elsewhere);
  await pass(5);
  leaves("site-1", elsewhere);
  await pass(17);
  expect(told).toHaveLength(1);
  expect(told[0]![1]).toBeWithin(20, 23);
  // All clients are listed now and then, not at every check.
  expect(listings).toBeWithin(10, 24);
});

test("who was told of, came back to another server and left it with that one's end, is told of again", async () => {
  await watch.start();
  comes("site-1", here);
  leaves("site-1", here);
  await pass(16);
  expect(told).toHaveLength(1);
  // The client connects and leaves between two listings of the clients.
  comes("site-1", elsewhere);
  leaves("site-1", elsewhere);
  await pass(20);
  expect(told).toHaveLength(2);
});

test("who was away for less, was at another server for a moment and left it with that one's end, too", async () => {
  await watch.start();
  comes("site-1", here);
  await pass(1);
  leaves("site-1", here);
  await pass(10);
  comes("site-1", elsewhere);
  leaves("site-1", elsewhere);
  await pass(12);
  expect(told).toEqual([]);
  await pass(6);
  expect(told).toHaveLength(1);
});
