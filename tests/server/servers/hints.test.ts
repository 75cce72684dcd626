import { expect, test } from "bun:test";
import { type HintKind, Hints } from "../../../lib/server/servers/hints.ts";
import { Logger } from "../../../lib/util/logger.ts";
import { waitFor } from "../../support/wait.ts";

/** The channel of hints between servers. Tests can make it lose hints. */
class Wire {
  readonly told: string[] = [];
  readonly #hear = new Map<(text: string) => void, () => void>();
  isBroken = false;
  /** True if hints are lost without an error. */
  isDead = false;
  listened = 0;

  notify = async (text: string): Promise<void> => {
    if (this.isBroken) throw new Error("lost");
    this.told.push(text);
    if (!this.isDead) for (const hear of this.#hear.keys()) hear(text);
  };
  listen = async (hear: (text: string) => void, ended: () => void) => {
    if (this.isBroken) throw new Error("nobody answers");
    this.listened++;
    this.#hear.set(hear, ended);
    return async () => void this.#hear.delete(hear);
  };

  /** Breaks the connections of all listeners. */
  cut(): void {
    const all = [...this.#hear.values()];
    this.#hear.clear();
    for (const ended of all) ended();
  }
}

function serverOn(wire: Wire) {
  const heard: string[] = [];
  const hints = new Hints({
    rows: wire,
    onHint: (kind: HintKind, id: string) => heard.push(`${kind} ${id}`),
    onAnythingChanged: () => heard.push("much"),
    echoMs: 50,
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

test("who heard nothing for a while looks at everything once it hears again", async () => {
  const wire = new Wire();
  const [one, other] = [serverOn(wire), serverOn(wire)];
  for (const { hints } of [one, other]) await hints.start();
  wire.isBroken = true;
  wire.cut();
  expect([one.heard, other.heard]).toEqual([[], []]);
  wire.isBroken = false;
  await waitFor(() => other.heard.length > 0 && one.heard.length > 0, "them to hear again");
  one.hints.send("client", "site-1");
  await waitFor(() => other.heard.length > 1, "a hint");
  expect(other.heard).toEqual(["much", "client site-1"]);
  for (const { hints } of [one, other]) await hints.stop();
});

test("who does not hear itself listens anew: the line went dead in silence", async () => {
  const wire = new Wire();
  const [one, other] = [serverOn(wire), serverOn(wire)];
  for (const { hints } of [one, other]) await hints.start();
  expect(wire.listened).toBe(2);
  wire.isDead = true;
  one.hints.send("client", "lost");
  await waitFor(() => wire.listened === 3, "it to listen anew");
  wire.isDead = false;
  await waitFor(() => one.heard.length > 0, "it to look at everything");
  other.hints.send("client", "site-1");
  await waitFor(() => one.heard.length > 1, "a hint");
  expect(one.heard).toEqual(["much", "client site-1"]);
  for (const { hints } of [one, other]) await hints.stop();
});
