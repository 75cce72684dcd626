import { describe, expect, test } from "bun:test";
import {
  DOWNLOAD_ERROR_CODES,
  type DownloadErrorCode,
  MAX_FAILURES,
  MAX_RESTARTS,
  meaningOf,
} from "../../lib/protocol/errors.ts";
import { type Download, hasEnded, newDownload, type Queued } from "../../lib/server/download.ts";
import type { DownloadEvent, Effect } from "../../lib/server/download-event.ts";
import { transition } from "../../lib/server/transition.ts";
import { claim, EPOCH, MD5, NOW, problem, source, states, order } from "../support/downloads.ts";

const { queued, downloading, verifying } = states;

const at = { epoch: EPOCH, now: NOW };
const failure = (code: DownloadErrorCode, final?: boolean): DownloadEvent => ({
  type: "failed",
  ...at,
  problem: problem(code),
  ...(final !== undefined && { final }),
});
const events = {
  started: { type: "started", ...at, source, offset: 400 },
  "started over": { type: "started", ...at, source, offset: 0, reason: "another file" },
  checkpoint: { type: "checkpoint", epoch: EPOCH, durableOffset: 500, bytesOnWire: 350 },
  received: {
    type: "received",
    epoch: EPOCH,
    size: 1000,
    digest: MD5,
    bytesOnWire: 700,
    savedPath: "r/a.txt",
  },
  renamed: { type: "renamed", epoch: EPOCH, savedPath: "r/a-2.txt" },
  published: { type: "published", ...at },
  lost: { type: "lost", ...at },
  gave_way: { type: "gave_way", ...at, problem: problem("client_timeout") },
  "failed for good": failure("access_denied"),
  "failed for now": failure("file_unreadable"),
  cancelled: { type: "cancelled", now: NOW },
  rate_limited: { type: "rate_limited", rateLimit: 2048 },
  retried: { type: "retried", as: "0198c0de-0000-7000-8000-000000000001" },
} satisfies Record<string, DownloadEvent>;

type StateName = keyof typeof states;
type EventName = keyof typeof events;

/** The next state, by event and current state. In any other state, the event is ignored. */
const LEADS_TO: Record<EventName, Partial<Record<StateName, StateName>>> = {
  started: { downloading: "downloading" },
  "started over": { downloading: "downloading" },
  checkpoint: { downloading: "downloading" },
  received: { downloading: "verifying" },
  renamed: { verifying: "verifying" },
  published: { verifying: "completed" },
  retried: { failed: "failed", cancelled: "cancelled" },
  lost: { downloading: "queued", verifying: "queued" },
  gave_way: { downloading: "queued" },
  "failed for good": { downloading: "failed", verifying: "failed" },
  "failed for now": { downloading: "queued", verifying: "queued" },
  cancelled: { queued: "cancelled", downloading: "cancelled" },
  rate_limited: { queued: "queued", downloading: "downloading", verifying: "verifying" },
};

const table = Object.entries(LEADS_TO).flatMap(([event, leads]) =>
  Object.keys(states).map(
    (state) =>
      [state as StateName, event as EventName, leads[state as StateName] ?? "no change"] as const,
  ),
);

const typesOf = (effects: Effect[]) => effects.map(({ type }) => type);

describe("every state meets every event", () => {
  test.each(table)("%s, %s: %s", (state, event, expected) => {
    const download = Object.freeze(states[state]);
    const { next, effects } = transition(download, events[event]);
    if (expected === "no change") {
      expect(next).toBe(download);
      expect(effects).toEqual([]);
    } else {
      expect(next).not.toBe(download);
      expect(next.status).toBe(expected);
      expect(Object.keys(next).toSorted()).toEqual(Object.keys(states[expected]).toSorted());
    }
  });

  test.each(table.filter(([, event]) => "epoch" in events[event]))(
    "%s, %s of another attempt: no change",
    (state, event) => {
      for (const epoch of [EPOCH - 1, EPOCH + 1]) {
        const result = transition(states[state], { ...events[event], epoch } as DownloadEvent);
        expect(result).toEqual({ next: states[state], effects: [] });
        expect(result.next).toBe(states[state]);
      }
    },
  );
});

describe("the file is opened", () => {
  const grown = { ...source, totalSize: 2000, chunkSize: 8192 };

  test("for the first time: its size is the goal", () => {
    const fresh = { ...downloading, source: null, durableOffset: 0 };
    const event = { ...events.started, source: grown, offset: 0 };
    expect(transition(fresh, event)).toEqual({ next: { ...fresh, source: grown }, effects: [] });
  });

  test("again: what it was at first stays the goal", () => {
    const { next } = transition(downloading, { ...events.started, source: grown });
    expect(next).toEqual({ ...downloading, source: { ...source, chunkSize: 8192 } });
  });

  test("again, with nothing safe: what it is now is the goal", () => {
    const event = { ...events.started, source: grown, offset: 0 };
    const { next } = transition({ ...downloading, durableOffset: 0 }, event);
    expect(next).toEqual({ ...downloading, durableOffset: 0, source: grown });
  });

  test("from the beginning: what was safe is discarded, and that is logged", () => {
    const { next, effects } = transition(downloading, {
      ...events["started over"],
      source: grown,
    });
    expect(next).toEqual({ ...downloading, source: grown, durableOffset: 0, restarts: 1 });
    expect(effects).toEqual([
      {
        type: "log",
        level: "warn",
        message: "starts over, 400 durable bytes discarded: another file",
      },
    ]);
  });

  test("from the beginning once too often: it failed", () => {
    const { next } = transition({ ...downloading, restarts: 2 }, events["started over"]);
    expect(next).toMatchObject({
      status: "failed",
      restarts: 2,
      problem: { code: "source_changed", message: "another file" },
    });
  });
});

describe("bytes become safe", () => {
  test("so that tries that failed before count no more", () => {
    const { next, effects } = transition({ ...downloading, failures: 2 }, events.checkpoint);
    expect(next).toEqual({ ...downloading, durableOffset: 500, bytesOnWire: 350, failures: 0 });
    expect(effects).toEqual([]);
  });

  test("and what they took on the wire is kept to the end", () => {
    const { next } = transition(downloading, events.received);
    expect(next.bytesOnWire).toBe(700);
    expect(transition(next, events.published).next.bytesOnWire).toBe(700);
    expect(transition(next, events.lost).next.bytesOnWire).toBe(700);
  });

  test.each([0, 399, 400])(
    "a checkpoint at %d, not over what is safe, is void",
    (durableOffset) => {
      const event = { ...events.checkpoint, durableOffset };
      expect(transition(downloading, event).next).toBe(downloading);
    },
  );

  test.each([0, 999, 1001])("%d bytes are not the file of 1000", (size) => {
    expect(transition(downloading, { ...events.received, size }).next).toBe(downloading);
  });

  test("nothing is received before the file was opened", () => {
    const unopened = { ...downloading, source: null, durableOffset: 0 };
    expect(transition(unopened, events.received).next).toBe(unopened);
  });
});

describe("the end", () => {
  test("completed: the client may forget the file, and a slot is free", () => {
    const { next, effects } = transition(verifying, events.published);
    const stored = { storedBytes: source.totalSize, removedAt: null };
    expect(next).toEqual({ ...verifying, ...stored, status: "completed", completedAt: NOW });
    expect(effects).toEqual([{ type: "confirm_client" }, { type: "dispatch" }]);
  });

  test("the name that it got is the one that was free", () => {
    const { next } = transition(transition(verifying, events.renamed).next, events.published);
    expect(next).toMatchObject({ status: "completed", savedPath: "r/a-2.txt" });
  });

  test.each([
    ["failed", "failed for good", ["discard_part", "dispatch", "log"]],
    ["cancelled", "cancelled", ["stop_client", "discard_part", "dispatch"]],
  ] as const)("%s: nothing is left behind, and a slot is free", (status, event, expected) => {
    const { next, effects } = transition(downloading, events[event]);
    expect(next).toMatchObject({ status, completedAt: NOW, durableOffset: 400 });
    expect(typesOf(effects)).toEqual([...expected]);
  });

  test("a lost connection keeps what is safe, is no failure, and can go on at once", () => {
    const { next, effects } = transition(downloading, events.lost);
    expect(next).toEqual(queued);
    expect(effects).toEqual([{ type: "dispatch" }]);
    expect(transition(verifying, events.lost).next).toEqual({ ...queued, durableOffset: 1000 });
  });
});

/**
 * Fails the download with this code until it ends, at most `most` times. @returns the download after each
 * failure
 */
function failAgainAndAgain(code: DownloadErrorCode, most: number): Download[] {
  const seen: Download[] = [];
  let download: Download = downloading;
  while (!hasEnded(download) && seen.length < most) {
    download = transition(download, {
      ...failure(code),
      epoch: download.epoch,
    } as DownloadEvent).next;
    seen.push(download);
    if (download.status === "queued") download = claim(download, download.notBefore);
  }
  return seen;
}

describe("what an error leads to", () => {
  const TRIES = { never: 1, later: MAX_FAILURES, restart: MAX_RESTARTS + 1, when_room: 20 };

  test.each([...DOWNLOAD_ERROR_CODES])("%s, met at each try", (code) => {
    const retry = meaningOf(code).retry!;
    const seen = failAgainAndAgain(code, 20);
    expect(seen).toHaveLength(TRIES[retry]);
    expect(seen.at(-1)?.status).toBe(retry === "when_room" ? "queued" : "failed");
    expect(seen.at(-1)).toMatchObject({ problem: problem(code) });
  });

  test("later: after a pause that grows, with what is safe", () => {
    const seen = failAgainAndAgain("client_timeout", 20).slice(0, -1);
    expect(seen).toMatchObject([
      { failures: 1, notBefore: NOW + 1000, durableOffset: 400 },
      { failures: 2, notBefore: NOW + 4000, durableOffset: 400 },
    ]);
  });

  test("restart: at once, without what was safe, and that is logged", () => {
    const { next, effects } = transition(verifying, failure("checksum_mismatch"));
    expect(next).toEqual({
      ...queued,
      source: null,
      durableOffset: 0,
      restarts: 1,
      problem: problem("checksum_mismatch"),
    });
    expect(effects).toContainEqual({
      type: "log",
      level: "warn",
      message: "starts over, 1000 durable bytes discarded: met checksum_mismatch",
    });
    expect(typesOf(effects)).toEqual(["discard_part", "dispatch", "log"]);
  });

  test("when there is room: it waits, counts no failure, and keeps what is safe", () => {
    const { next, effects } = transition(downloading, failure("storage_full"));
    expect(next).toMatchObject({ status: "queued", failures: 0, durableOffset: 400 });
    expect(effects).toContainEqual({ type: "dispatch" });
    expect((next as Queued).notBefore).toBeGreaterThan(NOW);
  });

  test("by another machine that has its id: what that one has is no change of the file", () => {
    const event = { ...events.gave_way, problem: problem("id_in_use") };
    const { next } = transition({ ...downloading, restarts: 2 }, event);
    expect(next).toMatchObject({ status: "queued", restarts: 0, durableOffset: 400 });
    expect(transition({ ...downloading, restarts: 2 }, events.gave_way).next.restarts).toBe(2);
  });

  test("by a slow client: it lets others go first, says why, and counts no failure", () => {
    const { next, effects } = transition(downloading, events.gave_way);
    expect(next).toMatchObject({ status: "queued", failures: 0, durableOffset: 400 });
    expect((next as Queued).problem).toEqual(problem("client_timeout"));
    expect((next as Queued).notBefore).toBe(NOW + 10_000);
    expect(typesOf(effects)).toEqual(["dispatch", "log"]);
  });

  test.each([...DOWNLOAD_ERROR_CODES])("%s, final: it failed", (code) => {
    const { next } = transition(downloading, failure(code, true));
    expect(next).toMatchObject({ status: "failed", problem: problem(code) });
  });
});

test("a new download waits, and has all that a queued one has", () => {
  const fresh = newDownload("id", order("restaurant-001", "a.txt"), NOW);
  expect(Object.keys(fresh).toSorted()).toEqual(Object.keys(queued).toSorted());
  expect(fresh).toMatchObject({ status: "queued", durableOffset: 0, notBefore: NOW, epoch: 0 });
});
