import { expect, setDefaultTimeout, test } from "bun:test";
import { open, rm, truncate } from "node:fs/promises";
import { lacksStrace } from "../support/machine.ts";
import { rowsOf } from "../support/rows.ts";
import { Strace } from "../support/strace.ts";
import { type Half, pullHalf } from "./half.ts";
import { delivered, MiB, setStage, type Stage } from "./stage.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/*
 * Rows 27 and 28 of the fault table: a part file is changed or deleted while the server is down or running.
 */

const SIZE = 8 * MiB;
/**
 * For invariant D, a restart from the first byte counts as this many breaks, because all bytes are sent
 * twice.
 */
const BREAKS = 2;

/** Continues the download and expects the right file. All bytes may be sent again. */
async function expectDelivered(stage: Stage, { downloadId }: Half): Promise<void> {
  stage.proxy.release("up");
  await stage.invariants.expectAll(delivered(downloadId, stage, BREAKS));
}

/**
 * Kills the server in the middle of a download, changes the part file, restarts the server, and expects the
 * right file.
 */
async function whileDown(change: (part: string) => Promise<void>): Promise<void> {
  await using stage = await setStage({ size: SIZE });
  const half = await pullHalf(stage);
  stage.system.server.signal("SIGKILL");
  await stage.system.server.ended();
  await change(half.part);
  await stage.system.restartServer();
  await expectDelivered(stage, half);
}

async function flipBit(path: string, offset: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const byte = new Uint8Array(1);
    await file.read(byte, 0, 1, offset);
    byte[0]! ^= 1;
    await file.write(byte, 0, 1, offset);
  } finally {
    await file.close();
  }
}

test.concurrent("row 27: a bit of the part file flipped at rest", async () => {
  await whileDown((part) => flipBit(part, 1000));
});

test
  .skipIf(lacksStrace !== "")
  .concurrent(
    `row 27: a bit of the part file flipped when it is about to be published${lacksStrace}`,
    async () => {
      await using stage = await setStage({ size: SIZE });
      const { system } = stage;
      const half = await pullHalf(stage);
      await using strace = await Strace.attach(system.server, system.folder, {
        calls: "link,linkat",
        inject: "signal=KILL",
      });
      stage.proxy.release("up");
      await system.server.ended();
      expect(strace.injected).toBe(0);
      expect(rowsOf(system).get(half.downloadId)?.status).toBe("verifying");
      expect(await system.published()).toEqual([]);
      await flipBit(half.part, SIZE - 1);
      await system.restartServer();
      await expectDelivered(stage, half);
    },
  );

test.concurrent("row 28: the part file shortened at rest", async () => {
  await whileDown((part) => truncate(part, 1000));
});

test.concurrent("row 28: the part file deleted at rest", async () => {
  await whileDown((part) => rm(part));
});

test.concurrent("row 28: the part file deleted under way", async () => {
  await using stage = await setStage({ size: SIZE });
  const half = await pullHalf(stage);
  await rm(half.part);
  await expectDelivered(stage, half);
});
