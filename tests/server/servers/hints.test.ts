import { expect, test } from "bun:test";
import { type HintKind, Hints } from "../../../lib/server/servers/hints.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { waitFor } from "../../support/wait.ts";

/** What all servers hear; some of it is lost. */
class Wire {
  readonly told: string[] = [];
  readonly #hear = new Set<(text: string) => void>();
  isBroken = false;

  notify = async (text: string): Promise<void> => {
    if (this.isBroken) throw new Error("lost");
    this.told.push(text);
    for (const hear of this.#hear) hear(text);
  };
  listen = async (hear: (text: string) => void) => {
    this.#hear.add(hear);
    return async () => void this.#hear.delete(hear);
  };
}

function serverOn(wire: Wire) {
  const heard: string[] = [];
  const hints = new Hints({
    rows: wire,
    hear: (kind: HintKind, id: string) => heard.push(`${kind} ${id}`),
    hearMuch: () => heard.push("much"),
    logger: new Logger({ level: "error", format: "json" }),
  });
  return { hints, heard };
}

test("what one server tells in a moment the others hear at once, and itself does not", async () => {
  const wire = new Wire();
  const [one, other] = [serverOn(wire), serverOn(wire)];
  for (const { hints } of [one, other]) await hints.start();
  one.hints.send("queue", "site-1");
  one.hints.send("queue", "site-1");
  one.hints.send("download", "d");
  await waitFor(() => other.heard.length === 2, "the hints");
  expect(other.heard).toEqual(["queue site-1", "download d"]);
  expect(one.heard).toEqual([]);
  expect(wire.told).toHaveLength(1);
  for (const { hints } of [one, other]) await hints.stop();
});

test("what is too much for Postgres is told as such", async () => {
  const wire = new Wire();
  const [one, other] = [serverOn(wire), serverOn(wire)];
  for (const { hints } of [one, other]) await hints.start();
  for (let n = 0; n < 5_000; n++) one.hints.send("queue", `site-${n}`);
  await waitFor(() => other.heard.length > 0, "the hint");
  expect(other.heard).toEqual(["much"]);
  expect(Math.max(...wire.told.map(({ length }) => length))).toBeLessThan(8_000);
  for (const { hints } of [one, other]) await hints.stop();
});

test("a hint that is lost is no matter to the next one", async () => {
  const wire = new Wire();
  const [one, other] = [serverOn(wire), serverOn(wire)];
  for (const { hints } of [one, other]) await hints.start();
  wire.isBroken = true;
  one.hints.send("client", "lost");
  await waitFor(() => one.hints.isIdle, "it to be lost");
  wire.isBroken = false;
  one.hints.send("client", "site-1");
  await waitFor(() => other.heard.length > 0, "the next one");
  expect(other.heard).toEqual(["client site-1"]);
  for (const { hints } of [one, other]) await hints.stop();
});
