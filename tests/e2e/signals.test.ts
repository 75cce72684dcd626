import { expect, setDefaultTimeout, test } from "bun:test";
import { writeRandom } from "../support/sources.ts";
import { System } from "../support/system.ts";
import { TEST_LIMIT } from "../support/wait.ts";

setDefaultTimeout(TEST_LIMIT);

/* Signals that have no meaning for a server or a client, such as SIGHUP, do not end it. */

test.skipIf(process.platform === "win32")(
  "no signal ends a server or a client without a word (needs POSIX signals)",
  async () => {
    await using system = await System.start();
    await system.startClient();
    const wanted = await writeRandom(system.source("file"), 100_000);
    for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
      for (const program of system.programs) {
        program.signal(signal);
        await program.waitForLine(new RegExp(`^${signal} changes nothing here`));
      }
    }
    await system.expectDelivered(await system.ended(await system.pull("file")), wanted);
    for (const program of system.programs.toReversed()) {
      program.signal("SIGQUIT");
      expect(await program.ended()).toBe(0);
      await program.waitForLine(/^stopping after SIGQUIT$/);
    }
  },
);
