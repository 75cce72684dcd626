import type { Change } from "../../lib/api/jobs.ts";
import { readEvents } from "../../lib/util/server-sent-events.ts";

/** An event as a reader gets it. */
export type Told = Change & { id: string };

/** Reads the events of an answer, one by one, only when asked to. */
export class Listener {
  readonly #events: AsyncGenerator<{ event: string; data: string; id: string }>;
  /** Everything that was read. */
  readonly heard: Told[] = [];

  constructor(readonly response: Response) {
    if (!response.body) throw new Error(`there is no body, the status is ${response.status}`);
    this.#events = readEvents(response.body);
  }

  /** The next event; null at the end of the stream. */
  async next(): Promise<Told | null> {
    const { done, value } = await this.#events.next();
    if (done) return null;
    const told: Told = { event: value.event, data: JSON.parse(value.data), id: value.id } as Told;
    this.heard.push(told);
    return told;
  }

  /** Reads on up to the first event that is wanted. @throws Error when the stream ends before */
  async until(wanted: (told: Told) => boolean): Promise<Told> {
    for (let told = await this.next(); told; told = await this.next()) {
      if (wanted(told)) return told;
    }
    throw new Error(`the stream ended after ${JSON.stringify(this.heard)}`);
  }

  /** Reads on to the end of the stream. */
  async rest(): Promise<Told[]> {
    const from = this.heard.length;
    while (await this.next());
    return this.heard.slice(from);
  }

  /** Hangs up. */
  async close(): Promise<void> {
    await this.#events.return(null);
  }
}

/** In short: `queued`, `completed`, or `client`. */
export function inShort(told: Told | null): string {
  if (!told) return "end";
  return told.event === "download" ? told.data.status : "client";
}
