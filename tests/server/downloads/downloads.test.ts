import { expect, jest, spyOn, test } from "bun:test";
import { FdsError } from "../../../lib/protocol/errors.ts";
import {
  audited,
  begin,
  BYTES,
  clients,
  connect,
  downloads,
  pull,
  settle,
  SITE,
  statusOf,
  storage,
  useDownloads,
} from "../../support/downloads-stage.ts";
import { FakeSite } from "../../support/fake-site.ts";

useDownloads();

/*
 * Downloads with a real database, a disk in memory and a client without a network, on a fake clock: events
 * that happen at the same time.
 */

test("a file comes whole", async () => {
  const site = await connect();
  const id = await pull();
  site.send(site.requests[0]!, BYTES);
  await settle();
  expect(await downloads.get(id)).toMatchObject({ status: "completed", attempts: 1 });
  expect([...storage.files.values()]).toEqual([BYTES]);
  expect(site.told.at(-1)).toMatchObject({ type: "done" });
});

test("a new client that connects twice at once is there, by its last connection", async () => {
  const [first, second] = [new FakeSite(clients), new FakeSite(clients)];
  await settle();
  const id = await pull();
  expect(first.requests).toEqual([]);
  second.send(second.requests[0]!, BYTES);
  await settle();
  expect(await statusOf(id)).toBe("completed");
});

test("a download waits and says why, whenever a machine shows that another one took its id", async () => {
  for (let turns = 0; turns < 200; turns++) {
    const first = await connect();
    const id = await pull();
    first.send(first.requests.at(-1)!, BYTES, 1);
    await settle();
    const second = new FakeSite(clients);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    first.answer();
    await settle();
    const { problem } = (await downloads.get(id)) as { problem?: { code: string } };
    // If the first client answers before the server has pinged it, no conflict is found.
    const isTold = clients.problemOf(SITE) !== null;
    expect([turns, problem?.code]).toEqual([turns, isTold ? "id_in_use" : undefined]);
    if (!isTold) expect(turns).toBeLessThan(50);
    await downloads.cancel(id);
    await settle();
    second.leave();
    first.leave();
    await settle();
    await clients.close();
    await downloads.stop();
    begin();
  }
});

test("two files that begin at once do not pass a quota together", async () => {
  begin(BYTES.length * 1.5);
  const site = await connect();
  const ids = [await pull(), await pull()];
  for (const request of site.requests) site.send(request, BYTES, 1);
  await settle();
  const [first, second] = await Promise.all(ids.map((id) => downloads.get(id)));
  expect(first).toMatchObject({ status: "downloading", source: { totalSize: BYTES.length } });
  expect(second).toMatchObject({ status: "queued", problem: { code: "storage_full" } });
  site.sendRest(site.requests[0]!, BYTES, 1);
  await settle();
  expect(await statusOf(ids[0]!)).toBe("completed");
});

test("a client whose file cannot be published hears that it is over, and is asked again", async () => {
  const site = await connect();
  await pull();
  using publish = spyOn(storage, "publish").mockRejectedValueOnce(
    new FdsError("storage_error", "no"),
  );
  site.send(site.requests[0]!, BYTES);
  await settle();
  expect(publish).toHaveBeenCalledTimes(1);
  const { stream } = site.requests[0]!;
  expect(site.told.at(-1)).toMatchObject({ type: "cancel", stream });
  jest.advanceTimersByTime(1_000);
  await settle();
  expect(site.requests[1]).toMatchObject({ offset: BYTES.length });
});

test("a retry is named by what it retries, which does not end a second time", async () => {
  const id = await pull();
  await downloads.cancel(id);
  const ends = () => audited.filter(({ action }) => action === "download_end").length;
  const before = ends();
  const first = await downloads.retry(id);
  expect(await downloads.get(id)).toMatchObject({ retriedAs: first.downloadId });
  const second = await downloads.retry(id);
  expect(await downloads.get(id)).toMatchObject({
    status: "cancelled",
    retriedAs: second.downloadId,
  });
  expect(ends()).toBe(before);
});
