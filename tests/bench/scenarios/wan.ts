import { ApiCallError } from "../../../lib/cli/rest/api-errors.ts";
import { alternate, type Effort, type Run, type Scenario } from "../core/scenario.ts";
import { Stage } from "../core/stage.ts";
import { type LinkConditions, NetworkLink } from "../peers/link.ts";
import { SocketPair } from "../yardsticks/sockets.ts";

const MiB = 1024 ** 2;

interface Link extends LinkConditions {
  name: string;
  /** Size in bytes of the file that is sent over the link, by size of the run. */
  size: Record<Effort, number>;
}

/** The link with the lowest rate. */
export const NARROW: Link = {
  name: "20 Mbit/s at 200 ms",
  bitsPerSecond: 20e6,
  roundTrip: 200,
  size: { tiny: MiB / 4, quick: 8 * MiB, full: 24 * MiB },
};

/** The link with the highest rate. */
const LONG_AND_WIDE: Link = {
  name: "1 Gbit/s at 150 ms",
  bitsPerSecond: 1e9,
  roundTrip: 150,
  size: { tiny: 4 * MiB, quick: 256 * MiB, full: 1024 * MiB },
};

const LINKS: Link[] = [
  NARROW,
  {
    name: "100 Mbit/s at 100 ms",
    bitsPerSecond: 100e6,
    roundTrip: 100,
    size: { tiny: MiB, quick: 32 * MiB, full: 128 * MiB },
  },
  LONG_AND_WIDE,
];

/** Share of the file after which the download is cancelled, so that bytes are in full flow. */
const IN_FULL_FLOW = 0.25;

/** Maximum number of bytes that are sent between two measurements of a quiet link: pings, but no chunks. */
const QUIET_BYTES = 1024;

/** Time between two measurements of the transferred bytes, in ms. */
const LOOK_EVERY = 10;

/** Number of quiet measurements in a row after which no more chunks are expected. */
const QUIET_LOOKS = 50;

/**
 * Measures one link: a pull, and a bare transfer, which shows how much the simulated link itself can carry.
 */
async function measureLink(run: Run, link: Link): Promise<void> {
  const { figures } = run;
  const place = run.places.memory;
  const size = link.size[run.effort];
  const file = await place.file(size);
  await using stage = await Stage.open(place, run.signal);
  await using network = await NetworkLink.open(stage.system.port, link);
  await stage.addClients(1, { server: network.url });
  const wanted = { client_id: "site-1", file_path: await stage.serve(file) };
  await using pair = await SocketPair.start(file, place.folder);
  await using bareNetwork = await NetworkLink.open(pair.port, link);
  const shareIn = (seconds: number) => (size * 8) / seconds / link.bitsPerSecond;

  await alternate(run, [
    async () => {
      const { seconds } = await stage.pull([wanted]);
      figures.add(`${link.name}, share of the link`, "share", shareIn(seconds));
    },
    async () => {
      const seconds = await pair.carry(bareNetwork.port);
      figures.add(`${link.name}, share in a bare transfer`, "share", shareIn(seconds));
    },
    async () => {
      const downloadId = await stage.system.pull(wanted.file_path);
      const received = async () => (await stage.api.download(downloadId)).bytes_received;
      while ((await received()) < size * IN_FULL_FLOW) await Bun.sleep(LOOK_EVERY);
      figures.add(
        `${link.name}, until a cancel is felt`,
        "ms",
        await cancel(stage, network, downloadId),
      );
    },
  ]);
  figures.compare(
    `${link.name}, share ÷ that of a bare transfer`,
    `${link.name}, share of the link`,
    `${link.name}, share in a bare transfer`,
  );
}

/**
 * Cancels a download under way.
 * @returns the time until the client stops sending, in ms; 0 if the download had already ended
 */
async function cancel(stage: Stage, network: NetworkLink, downloadId: string): Promise<number> {
  let { up: sent } = await network.sent();
  const hasChanged = async () => {
    await Bun.sleep(LOOK_EVERY);
    const before = sent;
    sent = (await network.sent()).up;
    return sent - before > QUIET_BYTES;
  };
  const start = performance.now();
  let last = start;
  try {
    await stage.api.cancel(downloadId);
  } catch (error) {
    // A small file may be completed before the cancel arrives. Then there is no time to measure.
    if (error instanceof ApiCallError && error.code === "download_already_ended") return 0;
    throw error;
  }
  for (let quiet = 0; quiet < QUIET_LOOKS; quiet++) {
    if (!(await hasChanged())) continue;
    quiet = 0;
    last = performance.now();
  }
  return last - start;
}

/**
 * Size of a short file, in bytes. It is sent before the window, which doubles each round trip, is large
 * enough to fill the link.
 */
const SHORT_SIZE = { tiny: 4 * MiB, quick: 100 * MiB, full: 100 * MiB };

/** Measures two short pulls over a fast and long link, the first by a client that is new to the server. */
async function measureStart(run: Run): Promise<void> {
  const { figures, effort } = run;
  const link = LONG_AND_WIDE;
  const place = run.places.memory;
  const file = await place.file(SHORT_SIZE[effort]);
  await using pair = await SocketPair.start(file, place.folder);
  await using bareNetwork = await NetworkLink.open(pair.port, link);
  const shareIn = (seconds: number) => (SHORT_SIZE[effort] * 8) / seconds / link.bitsPerSecond;

  await alternate(run, [
    async () => {
      await using stage = await Stage.open(place, run.signal);
      await using network = await NetworkLink.open(stage.system.port, link);
      await stage.addClients(1, { server: network.url });
      const wanted = { client_id: "site-1", file_path: await stage.serve(file) };
      for (const pull of ["first pull", "second pull"]) {
        const { seconds } = await stage.pull([wanted]);
        figures.add(`${link.name}, ${pull}, share of the link`, "share", shareIn(seconds));
      }
    },
    async () => {
      const seconds = await pair.carry(bareNetwork.port);
      figures.add(`${link.name}, share in a bare transfer`, "share", shareIn(seconds));
    },
  ]);
  for (const pull of ["first pull", "second pull"]) {
    figures.compare(
      `${link.name}, ${pull} ÷ bare transfer`,
      `${link.name}, ${pull}, share of the link`,
      `${link.name}, share in a bare transfer`,
    );
  }
}

const FAST_CLIENTS = 4;

const FAST_SIZE = { tiny: MiB, quick: 64 * MiB, full: 128 * MiB };

/** Measures fast clients alone, and while another client sends over a narrow link. */
async function measureSlowOne(run: Run): Promise<void> {
  const { effort, figures } = run;
  const place = run.places.memory;
  await using stage = await Stage.open(place, run.signal);
  await using network = await NetworkLink.open(stage.system.port, NARROW);
  await stage.addClients(FAST_CLIENTS);
  await stage.addClients(1, { server: network.url });
  const filePath = await stage.serve(await place.file(FAST_SIZE[effort]));
  // A file with far more bytes than the narrow link carries meanwhile.
  const endless = await stage.serve(await place.file(NARROW.size.full * 2));
  const wanted = Array.from({ length: FAST_CLIENTS }, (_, n) => ({
    client_id: `site-${n + 1}`,
    file_path: filePath,
  }));

  await stage.pull(wanted);
  await alternate(run, [
    async () => figures.add("fast ones alone", "s", (await stage.pull(wanted)).seconds),
    async () => {
      const downloadId = await stage.system.pull(endless, `site-${FAST_CLIENTS + 1}`);
      const flows = async () => (await stage.api.download(downloadId)).bytes_received > 0;
      while (!(await flows())) await Bun.sleep(LOOK_EVERY);
      figures.add("fast ones beside a slow one", "s", (await stage.pull(wanted)).seconds);
      await stage.api.cancel(downloadId);
    },
  ]);
  figures.compare("alone ÷ beside a slow one", "fast ones alone", "fast ones beside a slow one");
}

export const wanScenarios: Scenario[] = [
  {
    name: "wan",
    about: "a pull over long links, against a bare transfer over the same; and a cancel",
    rounds: { tiny: 1, quick: 1, full: 2 },
    seconds: { tiny: 5, quick: 35, full: 120 },
    async measure(run) {
      for (const link of LINKS) await measureLink(run, link);
    },
  },
  {
    name: "wan-start",
    about: `100 MiB over ${LONG_AND_WIDE.name}, the first and the second pull of a client, and a bare transfer`,
    rounds: { tiny: 1, quick: 3, full: 7 },
    seconds: { tiny: 3, quick: 15, full: 35 },
    measure: measureStart,
  },
  {
    name: "slow-client",
    about: `${FAST_CLIENTS} fast clients, with and without one beside them on ${NARROW.name}`,
    rounds: { tiny: 1, quick: 2, full: 5 },
    seconds: { tiny: 2, quick: 8, full: 20 },
    measure: measureSlowOne,
  },
];
