import { describe, expect, jest, setDefaultTimeout, test } from "bun:test";
import type { Download } from "../../../lib/server/download.ts";
import { inShort, Listener } from "../../support/events.ts";
import { cancelled, downloading, id } from "../database/samples.ts";
import { ask, change, events, listen, pass, progress, snapshot, told, useEvents } from "./stage.ts";
import { TEST_LIMIT } from "../../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Progress events: how often they are sent, and how they wait for slow readers. */

useEvents();

describe("progress", () => {
  /** Starts a download, and a listener that has read the events of its current state. */
  async function watched(): Promise<{ listener: Listener; download: Download }> {
    const download = await change(await ask(1), downloading);
    const listener = listen();
    await snapshot(listener, 2);
    return { listener, download };
  }

  test("is told at most 10 times a second, however fast bytes and checkpoints come", async () => {
    const { listener, download } = await watched();
    let row = download;
    let heard = 0;
    const counting = (async () => {
      for (; await listener.next();) heard++;
    })();
    for (let ms = 0; ms < 10_000; ms += 20) {
      progress.set(id(1), { bytesReceived: ms, bytesOnWire: ms, bytesPerSecond: ms });
      row = await change(row, { ...downloading, durableOffset: ms });
      events.downloadChanged();
      jest.advanceTimersByTime(20);
      await told();
    }
    events.close();
    await counting;
    expect(heard).toBeGreaterThan(30);
    expect(heard).toBeLessThanOrEqual(100);
  });

  test("is told of only where there is some", async () => {
    const { listener, download } = await watched();
    progress.set(id(1), { bytesReceived: 10, bytesOnWire: 10, bytesPerSecond: null });
    const first = listener.next();
    await pass(2_000);
    expect(await first).toMatchObject({ data: { bytes_received: 10 } });
    const second = listener.next();
    await pass(2_000);
    await change(download, cancelled);
    expect(inShort(await second)).toBe("cancelled");
  });

  test("is not told of after the end", async () => {
    const { listener, download } = await watched();
    await change(download, cancelled);
    progress.set(id(1), { bytesReceived: 10, bytesOnWire: 10, bytesPerSecond: null });
    await pass(1_000);
    const next = [await listener.next(), await listener.next()];
    expect(next.map(inShort)).toEqual(["cancelled", "client"]);
  });

  test("waits for a slow reader as one event, which gives way to the end", async () => {
    const { listener, download } = await watched();
    for (let bytes = 1; bytes <= 50; bytes++) {
      progress.set(id(1), { bytesReceived: bytes, bytesOnWire: bytes, bytesPerSecond: null });
      await pass(200);
    }
    expect(await listener.next()).toMatchObject({ data: { bytes_received: 50 } });
    progress.set(id(1), { bytesReceived: 51, bytesOnWire: 51, bytesPerSecond: null });
    await pass(200);
    await change(download, cancelled);
    await told();
    expect(inShort(await listener.next())).toBe("cancelled");
  });
});
