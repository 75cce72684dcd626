import { expect, test } from "bun:test";
import type { Download } from "../../../lib/server/download.ts";
import { checkAttempts, isNoMoreWanted } from "../../../lib/server/downloads/check-attempts.ts";
import type { OwnAttempt, ServerRows } from "../../../lib/server/servers/rows.ts";
import { completed, downloading, queued } from "../database/samples.ts";

/** A repository with these rows, and with these attempts of this server. */
const withRows = (own: OwnAttempt[], rows: Record<string, Download>) => ({
  servers: { ownAttempts: async () => own } as unknown as ServerRows,
  getDownload: async (downloadId: string) => rows[downloadId] ?? null,
});

function attempt(downloadId: string, epoch: number) {
  const said: unknown[] = [];
  return {
    downloadId,
    said,
    receiver: {
      epoch,
      limitRate: (rate: number | null) => void said.push(rate),
      abandon: () => void said.push("abandoned"),
    },
  };
}

test("attempts are brought to what other servers made of their rows", async () => {
  const [same, slower, cancelled, elsewhere, late] = [
    attempt("same", 3),
    attempt("slower", 3),
    attempt("cancelled", 3),
    attempt("elsewhere", 3),
    attempt("late", 3),
  ];
  const own = [
    { downloadId: "same", epoch: 3, rateLimit: null },
    { downloadId: "slower", epoch: 3, rateLimit: 1_000 },
  ];
  const rows = {
    cancelled: { ...queued(1), epoch: 3 },
    elsewhere: { ...downloading, epoch: 4 },
    // The download was claimed only after the list of this server's attempts was read.
    late: { ...downloading, epoch: 3 },
  };
  const running = [same, slower, cancelled, elsewhere, late];
  await checkAttempts(withRows(own, rows), running);
  expect(running.map(({ said }) => said)).toEqual([
    [null],
    [1_000],
    ["abandoned"],
    ["abandoned"],
    [],
  ]);
});

test("what an attempt brought is wanted no more once its download has ended without it", async () => {
  const rows = withRows([], { done: completed, open: downloading });
  const { epoch } = completed;
  const wanted = async (downloadId: string, hasItAll: boolean, own = epoch) =>
    !(await isNoMoreWanted(rows, { downloadId, epoch: own }, hasItAll));
  expect(await wanted("open", false)).toBe(true);
  expect(await wanted("done", false)).toBe(false);
  // The row has the attempt's own epoch, so the attempt itself completed the download, not another server.
  expect(await wanted("done", true)).toBe(true);
  expect(await wanted("done", true, epoch - 1)).toBe(false);
});
