import { expect, test } from "bun:test";
import { DOWNLOAD_ERROR_CODES, MAX_FAILURES, MAX_RESTARTS } from "../../lib/protocol/errors.ts";
import {
  type Download,
  hasEnded,
  newDownload,
  durableOffsetOf,
} from "../../lib/server/download.ts";
import type { DownloadEvent, Transition } from "../../lib/server/download-event.ts";
import { transition } from "../../lib/server/transition.ts";
import { claim, MD5, NOW, problem, source, states, order } from "../support/downloads.ts";
import { Random } from "../support/random.ts";

/*
 * Random walks through the states of a download: the invariants of lib/README.md hold at each step, whatever
 * events come, in any order.
 */

const STEPS = 200;

/** Returns a random event that is possible now, mostly of the current attempt, sometimes of another one. */
function randomEvent(random: Random, download: Download, now: number): DownloadEvent {
  const epoch = random.float() < 0.9 ? download.epoch : random.int(0, download.epoch + 1);
  const durableOffset = durableOffsetOf(download);
  // Events that end a download are rarer than others, so that walks are long.
  switch (random.int(0, 19)) {
    case 0:
      return random.float() < 0.1 ? { type: "cancelled", now } : { type: "lost", epoch, now };
    case 1:
      return { type: "rate_limited", rateLimit: random.pick([null, 1024]) };
    case 2:
    case 3: {
      const code = random.pick(DOWNLOAD_ERROR_CODES);
      return { type: "failed", epoch, now, problem: problem(code), final: random.float() < 0.05 };
    }
    case 4:
      return { type: "renamed", epoch, savedPath: "restaurant-001/b.txt" };
    case 5:
      return { type: "published", epoch, now };
    case 6:
    case 7: {
      const size = random.pick([source.totalSize, durableOffset]);
      const savedPath = "restaurant-001/a.txt";
      return { type: "received", epoch, size, digest: MD5, bytesOnWire: 600, savedPath };
    }
    case 8:
    case 9:
    case 10: {
      const offset = random.float() < 0.8 ? durableOffset : 0;
      return { type: "started", epoch, now, source, offset, reason: "another file" };
    }
    default:
      return {
        type: "checkpoint",
        epoch,
        durableOffset: random.int(0, source.totalSize),
        bytesOnWire: 500,
      };
  }
}

/** Expects what must hold for every transition, whatever the event. */
function expectLawful(before: Download, event: DownloadEvent, { next, effects }: Transition): void {
  const types = effects.map(({ type }) => type);
  const isStale = "epoch" in event && event.epoch !== before.epoch;
  if (hasEnded(before) || isStale) expect(next).toBe(before);
  if (next === before) {
    expect(effects).toEqual([]);
    return;
  }
  expect(Object.keys(next).toSorted()).toEqual(Object.keys(states[next.status]).toSorted());
  const { downloadId, clientId, filePath, checksum, createdAt, attempts, epoch, revision } = before;
  expect(next).toMatchObject({
    downloadId,
    clientId,
    filePath,
    checksum,
    createdAt,
    attempts,
    epoch,
    revision,
  });

  const startsOver = next.restarts > before.restarts;
  expect(next.restarts - before.restarts).toBe(startsOver ? 1 : 0);
  expect(next.restarts).toBeLessThanOrEqual(MAX_RESTARTS);
  if (durableOffsetOf(next) < durableOffsetOf(before)) expect(startsOver).toBe(true);
  if (startsOver) {
    expect(durableOffsetOf(next)).toBe(0);
    expect(effects).toContainEqual(expect.objectContaining({ type: "log", level: "warn" }));
  }
  expect(next.failures).toBeLessThan(MAX_FAILURES);

  const leaves = next.status !== before.status && (next.status === "queued" || hasEnded(next));
  if (leaves) {
    expect(effects).toContainEqual({ type: "dispatch" });
    expect(types.includes("confirm_client")).toBe(next.status === "completed");
    // A download that completes, fails or waits again ends its attempt by itself, so its client needs no
    // message to stop.
    expect(types.includes("stop_client")).toBe(next.status === "cancelled");
  } else {
    expect(types).not.toContain("dispatch");
  }
  const isGivenUp = next.status === "failed" || next.status === "cancelled";
  const isReadAgain = next.status === "queued" && startsOver;
  expect(types.includes("discard_part")).toBe(isGivenUp || isReadAgain);
}

/** Applies events until the download has ended, and then some more, which must change nothing. */
function walk(seed: number): { visited: Set<string>; last: Download } {
  const random = new Random(seed);
  const visited = new Set<string>();
  let now = NOW;
  let download: Download = newDownload("id", order("restaurant-001", "a.txt"), now);
  for (let step = 0; step < STEPS; step++) {
    now += random.int(0, 2000);
    if (download.status === "queued" && now >= download.notBefore) download = claim(download, now);
    const event = randomEvent(random, download, now);
    const result = transition(Object.freeze(download), event);
    expectLawful(download, event, result);
    download = result.next;
    visited.add(download.status);
  }
  return { visited, last: download };
}

test("no event in any order breaks a rule", () => {
  const visited = new Set<string>();
  const last = new Set<string>();
  for (let seed = 1; seed <= 300; seed++) {
    try {
      const way = walk(seed);
      for (const status of way.visited) visited.add(status);
      last.add(way.last.status);
    } catch (cause) {
      throw new Error(`the walk of seed ${seed} broke a rule`, { cause });
    }
  }
  // The walks together have visited every state, so there were enough of them.
  expect([...visited].toSorted()).toEqual(Object.keys(states).toSorted());
  expect([...last]).toEqual(expect.arrayContaining(["completed", "failed", "cancelled"]));
});
